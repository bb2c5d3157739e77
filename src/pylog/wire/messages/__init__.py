"""The messages: a module an API, with its request, its response and the structs inside them.

Made by scripts/wire_codec.py and loaded when an API is first used; see pylog.wire.fields.
"""
