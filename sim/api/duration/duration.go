// Package duration prints spans of time as kubectl and the API server do in
// tables and descriptions: two or three significant figures. It reads no clock.
package duration

import (
	"strconv"
	"time"
)

// HumanDuration prints 45s, 2m5s, 47m, 3h20m, 30h, 3d4h, 90d, 2y30d, 9y.
// Spans up to two seconds in the future count as now, later ones are <invalid>.
func HumanDuration(d time.Duration) string {
	seconds := int(d.Seconds())
	minutes := int(d / time.Minute)
	hours := int(d / time.Hour)
	days := hours / 24
	switch {
	case seconds < -1:
		return "<invalid>"
	case seconds < 0:
		return "0s"
	case seconds < 120:
		return strconv.Itoa(seconds) + "s"
	case minutes < 10:
		return two(minutes, "m", seconds%60, "s")
	case minutes < 180:
		return strconv.Itoa(minutes) + "m"
	case hours < 8:
		return two(hours, "h", minutes%60, "m")
	case hours < 48:
		return strconv.Itoa(hours) + "h"
	case days < 8:
		return two(days, "d", hours%24, "h")
	case days < 2*365:
		return strconv.Itoa(days) + "d"
	case days < 8*365:
		return two(days/365, "y", days%365, "d")
	}
	return strconv.Itoa(days/365) + "y"
}

// ShortHumanDuration prints one figure: 45s, 5m, 3h, 20d, 2y.
func ShortHumanDuration(d time.Duration) string {
	seconds := int(d.Seconds())
	switch {
	case seconds < -1:
		return "<invalid>"
	case seconds < 0:
		return "0s"
	case seconds < 60:
		return strconv.Itoa(seconds) + "s"
	case seconds < 60*60:
		return strconv.Itoa(seconds/60) + "m"
	case seconds < 24*60*60:
		return strconv.Itoa(seconds/3600) + "h"
	case seconds < 365*24*60*60:
		return strconv.Itoa(seconds/86400) + "d"
	}
	return strconv.Itoa(int(d.Hours()/24/365)) + "y"
}

func two(a int, unitA string, b int, unitB string) string {
	s := strconv.Itoa(a) + unitA
	if b != 0 {
		s += strconv.Itoa(b) + unitB
	}
	return s
}
