"""One small module per family of layouts; `curation.sources.registry` knows them by kind."""
