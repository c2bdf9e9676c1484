package report

import (
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Chart draws lines over a logarithmic axis, or bars where it has no X.
type Chart struct {
	Title, XName, YName string
	X                   []float64 // of the points; the same for all series
	Groups              []string  // of the bars, where there is no X
	Series              []Series
}

// Series is a line, or a bar in each group.
type Series struct {
	Name string
	Y    []float64
}

const (
	chartWidth, chartHeight          = 760, 360
	left, right, top, bottom float64 = 80, 24, 90, 56
)

// Legible on white and on black, and for people who cannot distinguish red and green.
var colours = []string{"#8b949e", "#1f77b4", "#17a398", "#d1711a", "#9a63c4"}

// SVG draws the chart.
func (c Chart) SVG() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" `+
		`font-size="13" role="img">`+"\n", chartWidth, chartHeight)
	fmt.Fprintf(&b, "<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", escape(c.Title))
	text(&b, left, 24, "start", "#24292f", 16, c.Title)
	x, y := left, 36.0
	for n, s := range c.Series {
		width := 40 + 6.6*float64(len([]rune(s.Name)))
		if x > left && x+width > chartWidth {
			x, y = left, y+18
		}
		fmt.Fprintf(&b, `<rect x="%.0f" y="%.0f" width="12" height="12" fill="%s"/>`+"\n", x, y,
			colours[n%len(colours)])
		text(&b, x+17, y+11, "start", "#24292f", 13, s.Name)
		x += width
	}
	axis := newAxis(c.all())
	for _, tick := range axis.ticks {
		y := axis.at(tick)
		fmt.Fprintf(&b, `<line x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f" stroke="#d0d7de"/>`+"\n", left,
			chartWidth-right, y, y)
		text(&b, left-8, y+4, "end", "#57606a", 12, short(tick))
	}
	fmt.Fprintf(&b, `<text transform="translate(18 %.0f) rotate(-90)" text-anchor="middle" `+
		`fill="#57606a">%s</text>`+"\n", (top+chartHeight-bottom)/2, escape(c.YName))
	text(&b, (left+chartWidth-right)/2, chartHeight-12, "middle", "#57606a", 13, c.XName)
	if len(c.X) > 0 {
		c.lines(&b, axis)
	} else {
		c.bars(&b, axis)
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

func (c Chart) all() []float64 {
	var all []float64
	for _, s := range c.Series {
		all = append(all, s.Y...)
	}
	return all
}

// lines draws a line a series. A point at zero stands where one at a third of the smallest other would.
func (c Chart) lines(b *strings.Builder, axis axis) {
	smallest := slices.Max(c.X)
	for _, x := range c.X {
		if x > 0 {
			smallest = min(smallest, x)
		}
	}
	position := func(x float64) float64 { return math.Log(max(x, smallest/3)) }
	first, last := position(slices.Min(c.X)), position(slices.Max(c.X))
	at := func(x float64) float64 {
		return left + 20 + (position(x)-first)/(last-first)*(chartWidth-left-right-40)
	}
	for _, x := range c.X {
		text(b, at(x), chartHeight-bottom+18, "middle", "#57606a", 12, short(x))
	}
	for n, s := range c.Series {
		var points []string
		for i, y := range s.Y {
			points = append(points, fmt.Sprintf("%.1f,%.1f", at(c.X[i]), axis.at(y)))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", at(c.X[i]), axis.at(y),
				colours[n%len(colours)])
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n",
			strings.Join(points, " "), colours[n%len(colours)])
	}
}

func (c Chart) bars(b *strings.Builder, axis axis) {
	group := (chartWidth - left - right) / float64(len(c.Groups))
	width := group * 0.8 / float64(len(c.Series))
	for g, name := range c.Groups {
		start := left + group*(float64(g)+0.1)
		for n, s := range c.Series {
			y := axis.at(s.Y[g])
			fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n",
				start+width*float64(n), y, width-2, chartHeight-bottom-y, colours[n%len(colours)])
			text(b, start+width*(float64(n)+0.5)-1, y-4, "middle", "#24292f", 11, short(s.Y[g]))
		}
		text(b, left+group*(float64(g)+0.5), chartHeight-bottom+18, "middle", "#57606a", 13, name)
	}
}

// axis is the vertical one: linear from zero, or logarithmic where the values differ by more than a factor of 30.
type axis struct {
	from, to float64
	log      bool
	ticks    []float64
}

func newAxis(values []float64) axis {
	smallest, largest := slices.Min(values), slices.Max(values)
	if smallest > 0 && largest/smallest > 30 {
		a := axis{from: math.Pow(10, math.Floor(math.Log10(smallest))), to: largest * 1.6, log: true}
		for tick := a.from; tick <= a.to; tick *= 10 {
			a.ticks = append(a.ticks, tick)
		}
		return a
	}
	step := math.Pow(10, math.Floor(math.Log10(largest)))
	for _, finer := range []float64{5, 2.5, 2} {
		if largest/(step/finer) <= 6 {
			step /= finer
			break
		}
	}
	a := axis{to: largest * 1.1}
	for tick := 0.0; tick <= a.to; tick += step {
		a.ticks = append(a.ticks, tick)
	}
	return a
}

func (a axis) at(value float64) float64 {
	if a.log {
		value, a.from, a.to = math.Log(value), math.Log(a.from), math.Log(a.to)
	}
	return chartHeight - bottom - (value-a.from)/(a.to-a.from)*(chartHeight-bottom-top)
}

// short writes 1,048,576 as 1M, and a number below ten with a digit more.
func short(value float64) string {
	switch {
	case value >= 1<<20 && math.Mod(value, 1<<20) == 0:
		return strconv.Itoa(int(value)>>20) + "Mi"
	case value >= 1<<10 && math.Mod(value, 1<<10) == 0:
		return strconv.Itoa(int(value)>>10) + "Ki"
	case value >= 1000:
		return strconv.FormatFloat(math.Round(value/100)/10, 'f', -1, 64) + "k"
	case value >= 10:
		return strconv.FormatFloat(math.Round(value), 'f', -1, 64)
	}
	return strconv.FormatFloat(math.Round(value*100)/100, 'f', -1, 64)
}

func text(b *strings.Builder, x, y float64, anchor, colour string, size int, content string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s" font-size="%d">%s</text>`+"\n", x, y, anchor,
		colour, size, escape(content))
}

func escape(content string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(content)) // a strings.Builder takes everything
	return b.String()
}
