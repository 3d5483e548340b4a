#!/usr/bin/python3
"""Sends a notification through weir-chatd: notify.py ADDR:PORT TOPIC TITLE BODY"""
import sys

import grpc

import chat_stubs

messages, stubs = chat_stubs.load()
service = stubs.NotificationServiceStub(grpc.insecure_channel(sys.argv[1]))
reply = service.SendNotification(messages.SendRequest(
    user="python", topic=sys.argv[2], title=sys.argv[3], body=sys.argv[4]), timeout=5)
print(f"sent {reply.id} to {reply.delivered} subscribers")
