# SPDX-License-Identifier: Apache-2.0
# What each road adds to `runc run /bin/true`, as bars: -v scale=MS -v text=CONDITIONS, and rows of
# KIND <tab> NAME <tab> ADDED-MS, KIND davit or other.
BEGIN {
	FS = "\t"
	width = 760
	left = 250
	bar = 22
	step = 32
	top = 64
}
{
	kind[++n] = $1
	name[n] = $2
	added[n] = $3 < 0 ? 0 : $3
	if (added[n] > most)
		most = added[n]
}
END {
	height = top + n * step + 44
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"13\">\n", width, height
	printf "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", width, height
	printf "<text x=\"16\" y=\"28\" font-size=\"17\" font-weight=\"bold\">Milliseconds that giving the GPUs adds to a container's start</text>\n"
	printf "<text x=\"16\" y=\"48\" fill=\"#555\">%s</text>\n", text
	for (i = 1; i <= n; i++) {
		y = top + (i - 1) * step
		length_of = most > 0 ? (width - left - 80) * added[i] / most : 0
		printf "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", left - 10, y + 16, name[i]
		printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", left, y, length_of, bar, kind[i] == "davit" ? "#2a7f3f" : "#b0b0b0"
		printf "<text x=\"%.1f\" y=\"%d\">+%.1f</text>\n", left + length_of + 6, y + 16, added[i]
	}
	printf "<text x=\"16\" y=\"%d\" fill=\"#555\">%s</text>\n", height - 16, note
	print "</svg>"
}
