#!/usr/bin/python3
"""Subscribes to topics of weir-chatd: subscribe.py ADDR:PORT TOPIC..."""
import sys

import grpc

import chat_stubs

messages, stubs = chat_stubs.load()
channel = grpc.insecure_channel(sys.argv[1])
token = chat_stubs.log_in(channel, messages, stubs, "python", "python-password")
service = stubs.NotificationServiceStub(channel)
for note in service.Subscribe(messages.SubscribeRequest(topics=sys.argv[2:]), metadata=token):
    print(f"[{note.topic}] {note.title}: {note.body}", flush=True)
