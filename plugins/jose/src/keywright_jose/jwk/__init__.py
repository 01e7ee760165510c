"""JSON Web Keys (RFC 7517): the format `jwk`, new keys, keys as callers pass them, and the public set of a ring."""
