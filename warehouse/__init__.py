"""Where versions live: catalog, write-audit-publish, lineage, decisions, SQL views, releases, hand-off to trainers."""
