"""The tutorial's protocol, which the programs speak: a port, a message, and a reply each for TCP and UDP."""

PORT = 6666
MESSAGE = "hehe, just for a test!"
# The tutorial spells it so: the reply to a datagram is the wire format.
REPLIES = {"tcp": "ACK!", "udp": "Recvice message ok!"}

# The same as they are sent.
HELLO = MESSAGE.encode()
ACK = REPLIES["tcp"].encode()
REPLY = REPLIES["udp"].encode()

LARGEST = 65_507  # bytes that one datagram carries, over IPv4
