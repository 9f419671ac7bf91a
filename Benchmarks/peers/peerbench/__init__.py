"""Quasar's integer kernels beside the engines a user would pick instead, measured in turns in one process."""
