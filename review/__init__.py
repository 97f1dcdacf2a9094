"""The core: records, decisions, rights, and the rules between them; it knows neither of its neighbours."""
