#!/usr/bin/python3
"""Sends a notification through weir-chatd: notify.py ADDR:PORT TOPIC TITLE BODY"""
import sys

import grpc

import chat_stubs

messages, stubs = chat_stubs.load()
channel = grpc.insecure_channel(sys.argv[1])
token = chat_stubs.log_in(channel, messages, stubs, "python", "python-password")
service = stubs.NotificationServiceStub(channel)
reply = service.SendNotification(messages.SendNotificationRequest(
    topic=sys.argv[2], title=sys.argv[3], body=sys.argv[4]), metadata=token, timeout=5)
print(f"sent {reply.id}, number {reply.seq} of {sys.argv[2]}")
