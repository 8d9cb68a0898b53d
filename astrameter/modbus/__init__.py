"""Modbus: registers read over TCP, UDP, serial lines and serial lines behind TCP gateways.

pymodbus encodes and decodes the messages (:mod:`~astrameter.modbus.pdu`, the only module that
knows it); framing, connections, time and trouble are ours. References are sections of the Modbus
Application Protocol 1.1b3 ("MAP"), Modbus Messaging on TCP/IP 1.0b ("MBTCP") and Modbus over
Serial Line 1.02 ("MBSL").
"""
