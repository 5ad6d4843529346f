# SPDX-License-Identifier: MIT
# Doxygen 1.9.4 takes a digit separator for a character that begins, and what follows for text.
s/\([0-9]\)'\([0-9]\)/\1\2/g
# An address is no name to link.
s/::ffff/\\::ffff/g
