# The application, its worker and its periodic tasks: which of them a container is, its command says (compose.yaml).
FROM python:3.13-slim

RUN useradd --system --uid 10001 --create-home cqia \
    && install -d -o cqia -g cqia -m 700 /var/lib/cqia
WORKDIR /opt/cqia
COPY requirements-s3.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements-s3.lock
COPY . .

ENV CQIA_DATA_DIR=/var/lib/cqia PYTHONUNBUFFERED=1
VOLUME /var/lib/cqia
USER cqia
EXPOSE 8000
CMD ["gunicorn", "cqia_site.wsgi:application", "--worker-class", "gthread", "--workers", "4", "--threads", "8", \
     "--bind", "0.0.0.0:8000", "--timeout", "120", "--keep-alive", "0", "--no-control-socket"]
