# SPDX-License-Identifier: Apache-2.0
# Rows of two groups, as report.sh has them (group, name, median in ms, ...) -> an SVG with two
# charts: hook and floor over GPUs, the hook and ldconfig over libraries.
BEGIN { width = 340; height = 220; left = 60; top = 60; gap = 120 }
$2 == "empty" { next }
{
	dash = index($2, "-")
	what = substr($2, 1, dash - 1)
	count = substr($2, dash + 1)
	value[$1, what, count] = $3
	if (!(($1, count) in seen)) {
		seen[$1, count] = 1
		counts[$1, ++number[$1]] = count
	}
	if ($3 > most[$1])
		most[$1] = $3
}

# A round step that gives three to six lines up to the value.
function step_of(top_value,   step) {
	step = 0.001
	while (top_value / step > 6) {
		if (top_value / (step * 2) <= 6) return step * 2
		if (top_value / (step * 5) <= 6) return step * 5
		step *= 10
	}
	return step
}

function x_of(chart, i) { return origin[chart] + width * (i - 0.5) / number[chart] }
function y_of(chart, v) { return top + height - height * v / ceiling[chart] }

function text(x, y, anchor, class, string) {
	printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">%s</text>\n", x, y, anchor, class, string
}

function axes(chart, title, below,   step, v, i) {
	step = step_of(most[chart])
	ceiling[chart] = step * int(most[chart] / step + 1)
	text(origin[chart], top - 34, "start", "title", title)
	for (v = 0; v <= ceiling[chart] + step / 2; v += step) {
		printf "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n", origin[chart], origin[chart] + width, y_of(chart, v), y_of(chart, v)
		text(origin[chart] - 8, y_of(chart, v) + 4, "end", "tick", sprintf("%g", v))
	}
	text(origin[chart] - 8, top - 12, "end", "tick", "ms")
	for (i = 1; i <= number[chart]; i++)
		text(x_of(chart, i), top + height + 18, "middle", "tick", counts[chart, i])
	text(origin[chart] + width / 2, top + height + 38, "middle", "tick", below)
}

function series(chart, what, label, colour, place,   i, points, x, y) {
	points = ""
	for (i = 1; i <= number[chart]; i++) {
		x = x_of(chart, i)
		y = y_of(chart, value[chart, what, counts[chart, i]])
		points = points sprintf("%.1f,%.1f ", x, y)
		printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x, y, colour
	}
	printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", points, colour
	x = origin[chart] + 14
	y = top + 12 + 18 * place
	printf "<line x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\" stroke=\"%s\" stroke-width=\"2\"/>\n", x, x + 18, y - 4, y - 4, colour
	text(x + 24, y, "start", "label", label)
}

END {
	origin["gpus"] = left
	origin["libraries"] = left + width + gap
	total = left + width + gap + width + 30
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\">\n", total, top + height + 60, total, top + height + 60
	print "<style>.title{font-size:15px;font-weight:bold;fill:#222}.tick{font-size:12px;fill:#555}.label{font-size:13px;fill:#222}.grid{stroke:#ddd}</style>"
	printf "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", total, top + height + 60
	axes("gpus", "The hook, by GPUs", "GPUs")
	series("gpus", "hook", "davit-hook", "#0b6e4f", 0)
	series("gpus", "floor", "the mounts alone (floor)", "#8a8a8a", 1)
	axes("libraries", "By libraries in the image", "libraries in the image's loader cache")
	series("libraries", "hook", "davit-hook, all of it", "#0b6e4f", 0)
	series("libraries", "ldconfig", "ldconfig alone", "#c8553d", 1)
	print "</svg>"
}
