"""The Kafka listener: one more process on a folder, for every client that speaks Kafka's protocol.

listener.py      the loop, the sockets, shutdown
connection.py    one client: frames in, responses out in their order
dispatch.py      a request to its handler, whatever goes wrong to an answer
handlers/        one file an API
broker.py        what the handlers share
request.py       what a handler is told about who asks
"""
