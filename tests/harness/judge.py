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
# The last stretch holds its best place only if a whole repetition begins in it.
while start == 0 or len(likeness) - start >= length * 0.9:
    at = start + int(numpy.argmax(likeness[start : start + length]))
    print(pesq(RATE, reference, recording[at : at + length], "wb"))
    start = at + length // 2
