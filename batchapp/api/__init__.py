"""The portal for scripts: the addresses below /v1, and downloads of pages by a portal key."""
