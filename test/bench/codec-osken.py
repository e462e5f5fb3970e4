# The codec benchmark's messages through os-ken: JSON {case: [hex, ...]} in, JSON {case: messages (flow_stats_decode: entries) per CPU second} out.
import json
import sys
import time

from os_ken.ofproto import ofproto_protocol, ofproto_v1_3, ofproto_v1_3_parser

SECONDS = 0.5
datapath = ofproto_protocol.ProtocolDesc(version=ofproto_v1_3.OFP_VERSION)


def parse(data):
    kind, length, xid = data[1], int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:8], "big")
    return ofproto_v1_3_parser.msg_parser(datapath, 4, kind, length, xid, data)


def serialize(message):
    message.buf = None
    message.serialize()


def count(message):
    return len(message.body) if isinstance(message, ofproto_v1_3_parser.OFPFlowStatsReply) else 1


def rate(messages, work):
    done, start = 0, time.process_time()
    while time.process_time() - start < SECONDS:
        for message in messages[:64]:
            done += work(message)
    return done / (time.process_time() - start)


results = {}
for case, messages in json.load(sys.stdin).items():
    data = [bytes.fromhex(message) for message in messages]
    if ofproto_v1_3_parser._MSG_PARSERS.get(data[0][1]) is None:
        continue  # a message it can send but not read
    if case.endswith("_decode"):
        results[case] = rate(data, lambda message: count(parse(message)))
    else:
        results[case] = rate([parse(message) for message in data], lambda message: (serialize(message), 1)[1])
json.dump(results, sys.stdout)
