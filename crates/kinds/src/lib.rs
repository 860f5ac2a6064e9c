//! Job kinds that reach outside the engine: HTTP, language models and users' modules.
