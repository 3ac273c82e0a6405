"""PESQ-WB (ITU-T P.862.2) of each whole repetition of a reference in a recording.

judge.py REFERENCE.wav RECORDING.wav: one score a line. The recording is longer than the reference, which
plays in it again and again; each repetition is found by cross-correlation.
"""

import sys

import numpy
from pesq import pesq
from scipy.io import wavfile
from scipy.signal import correlate, resample_poly

RATE = 16000


def load(path):
    rate, samples = wavfile.read(path)
    return resample_poly(samples.astype(numpy.float64) / 32768, RATE, rate)


reference, recording = load(sys.argv[1]), load(sys.argv[2])
length = len(reference)
likeness = correlate(recording, reference, "valid", method="fft")
start = 0
# The next repetition begins half a length after `start`; the search goes on while it is there as a whole.
while start == 0 or len(likeness) - start >= length * 0.6:
    # The first good place, not the next one that is as good.
    window = likeness[start : start + length]
    first = int(numpy.argmax(window >= 0.8 * window.max()))
    at = start + first + int(numpy.argmax(window[first : first + RATE // 20]))
    print(pesq(RATE, reference, recording[at : at + length], "wb"))
    start = at + length // 2
