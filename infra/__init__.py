"""One adapter per outside system; each implements ports and translates errors."""
