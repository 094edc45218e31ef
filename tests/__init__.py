"""Tests; README.md beside this file says where each belongs."""
