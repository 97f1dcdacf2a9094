from typing import Any

from django.db import migrations

SHIPPED = {
    "chengyu": (["文本生成"], ["成语释义"], ["中国传统文化", "成语"]),
    "poem": (["文本生成"], ["古诗续写"], ["中国传统文化", "古诗词"]),
    "classical-translation": (["文本生成"], ["文言文翻译"], ["中国传统文化", "文言文"]),
    "medical-encyclopedia": (["问答"], ["医药问答", "百科问答"], ["医疗"]),
    "ruozhiba": (["问答"], ["逻辑问答", "隐喻理解"], ["通用"]),
}
"""Sources whose published records bear all of these labels, which are the ones that the project ships."""


def _set(apps: Any, editor: Any) -> None:  # noqa: ANN401  what Django passes
    """Say so of those that still have them; where a manager has set others, the manager says."""
    sources = apps.get_model("review", "Source").objects.using(editor.connection.alias)
    for slug, (major, minor, domain) in SHIPPED.items():
        unchanged = sources.filter(slug=slug, major=major, minor=minor, domain=domain)
        unchanged.update(labels_go_together=True)


class Migration(migrations.Migration):
    """The labels of five sources go together: before, their candidates came without, and a person chose each time."""

    atomic = False
    dependencies = [("review", "0025_labels_go_together")]

    operations = [migrations.RunPython(_set, migrations.RunPython.noop)]
