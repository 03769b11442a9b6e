#!/bin/sh
# A small computation whose result must be the same bits wherever it runs: a 64×64 picture (PPM) of the Mandelbrot
# set in four greens with an ordered dither, into $OUT/sample.ppm. Prints how many pixels have each colour.
set -eu
LC_ALL=C awk -v file="$OUT/sample.ppm" 'BEGIN {
  split("0 8 2 10 12 4 14 6 3 11 1 9 15 7 13 5", bayer, " ")
  split("15 56 15;48 98 48;139 172 15;155 188 15", colour, ";")
  print "P3\n64 64\n255" > file
  for (y = 0; y < 64; y++)
    for (x = 0; x < 64; x++) {
      cr = (x - 44) / 24; ci = (y - 32) / 24; zr = zi = n = 0
      while (n < 48 && zr * zr + zi * zi < 4) {
        t = zr * zr - zi * zi + cr; zi = 2 * zr * zi + ci; zr = t; n++
      }
      level = int(3 * n / 48 + bayer[(y % 4) * 4 + x % 4 + 1] / 16)
      if (level > 3) level = 3
      count[level]++
      print colour[level + 1] > file
    }
  for (i = 0; i < 4; i++) print i, count[i] + 0
}'
