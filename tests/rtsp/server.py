#!/usr/bin/python3
"""A real RTSP server (GStreamer's), as network cameras are: serves the Motion JPEG of an HTTP server as
rtsp://127.0.0.1:PORT/stream, encoded as H.264 or as RTP's JPEG, to whoever gives the user and password.

Usage: server.py URL h264|jpeg PORT [USER:PASSWORD]

PORT 0 takes any that is free. It prints the port when it listens, and ends when its standard input ends.
"""
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer

ENCODERS = {
    # A frame that needs no other twice a second, so that a client need not wait long.
    "h264": "videoconvert ! video/x-raw,format=I420 ! openh264enc gop-size=15 complexity=low ! h264parse"
    " ! rtph264pay name=pay0 pt=96 config-interval=1 aggregate-mode=zero-latency",
    "jpeg": "videoconvert ! video/x-raw,format=I420 ! jpegenc ! rtpjpegpay name=pay0 pt=26",
}


def main():
    url, codec, port = sys.argv[1:4]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    source = f"souphttpsrc location={url} is-live=true do-timestamp=true ! multipartdemux single-stream=true"
    factory.set_launch(f"( {source} ! jpegdec ! {ENCODERS[codec]} )")
    factory.set_shared(True)
    factory.set_latency(0)
    if len(sys.argv) > 4:
        ask_for(server, factory, *sys.argv[4].split(":", 1))
    server.get_mount_points().add_factory("/stream", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    loop.run()


def ask_for(server, factory, user, password):
    """Lets in only those who give this user and password."""
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_role("viewer")
    for permission in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role("viewer", permission, True)
    factory.set_permissions(permissions)


if __name__ == "__main__":
    main()
