#!/usr/bin/python3
"""Subscribes to topics of weir-chatd: subscribe.py ADDR:PORT TOPIC..."""
import sys

import grpc

import chat_stubs

messages, stubs = chat_stubs.load()
channel = grpc.insecure_channel(sys.argv[1])
service = stubs.NotificationServiceStub(channel)
request = messages.SubscribeRequest(user="python", topics=sys.argv[2:])
for note in service.Subscribe(request):
    print(f"[{note.topic}] {note.title}: {note.body}", flush=True)
