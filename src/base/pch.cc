// Carries the precompiled header (pch.h) that all libraries reuse.
