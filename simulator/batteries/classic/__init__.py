"""The laws that the predecessor simulates (battery-firmware.md sections 2 to 8).

Firmware images show other laws today (marstek-devices.md section 1.15): those are in the modules
above this package. These stay for two reasons: the numbers that the predecessor measured were
measured on them, and a controller has to hold on both.

One law per module (:mod:`.venus_c`, :mod:`.venus_d`, :mod:`.b2500`), :mod:`.reading` for the number
they act on, and :mod:`.laws`, which knows whose law is whose. Venus E, Venus A and Jupiter have
none of their own: the predecessor lets them run the law of the Venus C.
"""
