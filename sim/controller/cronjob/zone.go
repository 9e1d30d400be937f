// Time zones without the host's database: the simulation must answer alike in
// a browser and natively, and the whole database would weigh more than all
// controllers. Present-day rules of the usual zones are enough for schedules.

package cronjob

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// zone is an offset from UTC and the rule for summer time.
type zone struct {
	offset time.Duration
	summer byte // 'E' Europe, 'A' North America, 'S' south-eastern Australia, 'N' New Zealand, 0 none
}

// zones lists "offset in minutes + rule: names".
var zones = map[string]string{
	"0":     "UTC Etc/UTC Etc/GMT GMT Africa/Abidjan Africa/Accra Atlantic/Reykjavik",
	"0E":    "Europe/London Europe/Dublin Europe/Lisbon",
	"60":    "Africa/Lagos Africa/Algiers",
	"60E":   "CET Europe/Amsterdam Europe/Belgrade Europe/Berlin Europe/Brussels Europe/Budapest Europe/Copenhagen Europe/Madrid Europe/Oslo Europe/Paris Europe/Prague Europe/Rome Europe/Stockholm Europe/Vienna Europe/Warsaw Europe/Zurich",
	"120":   "Africa/Johannesburg Africa/Maputo",
	"120E":  "EET Europe/Athens Europe/Bucharest Europe/Helsinki Europe/Kiev Europe/Kyiv Europe/Riga Europe/Sofia Europe/Tallinn Europe/Vilnius",
	"180":   "Africa/Nairobi Asia/Baghdad Asia/Riyadh Europe/Istanbul Europe/Moscow Europe/Minsk",
	"210":   "Asia/Tehran",
	"240":   "Asia/Dubai",
	"300":   "Asia/Karachi Asia/Tashkent Asia/Almaty",
	"330":   "Asia/Kolkata Asia/Calcutta Asia/Colombo",
	"345":   "Asia/Kathmandu",
	"360":   "Asia/Dhaka",
	"420":   "Asia/Bangkok Asia/Jakarta Asia/Ho_Chi_Minh Asia/Saigon",
	"480":   "Asia/Shanghai Asia/Hong_Kong Asia/Singapore Asia/Taipei Asia/Manila Asia/Kuala_Lumpur Australia/Perth PRC",
	"540":   "Asia/Tokyo Asia/Seoul Japan ROK",
	"570":   "Australia/Darwin",
	"570S":  "Australia/Adelaide",
	"600":   "Australia/Brisbane",
	"600S":  "Australia/Sydney Australia/Melbourne Australia/Hobart",
	"720N":  "Pacific/Auckland",
	"-180":  "America/Sao_Paulo America/Argentina/Buenos_Aires America/Bahia",
	"-210A": "America/St_Johns",
	"-240A": "America/Halifax Atlantic/Bermuda",
	"-240":  "America/Caracas America/La_Paz America/Puerto_Rico",
	"-300":  "America/Bogota America/Lima America/Panama America/Jamaica EST",
	"-300A": "America/New_York America/Detroit America/Toronto US/Eastern EST5EDT",
	"-360":  "America/Mexico_City America/Costa_Rica America/Guatemala",
	"-360A": "America/Chicago America/Winnipeg US/Central CST6CDT",
	"-420":  "America/Phoenix US/Arizona MST",
	"-420A": "America/Denver America/Edmonton US/Mountain MST7MDT",
	"-480A": "America/Los_Angeles America/Vancouver America/Tijuana US/Pacific PST8PDT",
	"-540A": "America/Anchorage US/Alaska",
	"-600":  "Pacific/Honolulu US/Hawaii HST",
}

// findZone returns the zone of that name; "" is UTC.
func findZone(name string) (*zone, error) {
	if name == "" {
		return &zone{}, nil
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(name, "Etc/GMT")); err == nil && strings.HasPrefix(name, "Etc/GMT") && n >= -14 && n <= 12 {
		return &zone{offset: -time.Duration(n) * time.Hour}, nil
	}
	for rule, names := range zones {
		for n := range strings.FieldsSeq(names) {
			if n != name {
				continue
			}
			z := &zone{}
			if last := rule[len(rule)-1]; last > '9' {
				z.summer, rule = last, rule[:len(rule)-1]
			}
			minutes, _ := strconv.Atoi(rule)
			z.offset = time.Duration(minutes) * time.Minute
			return z, nil
		}
	}
	return nil, fmt.Errorf("unknown time zone %s", name)
}

// sunday is the n-th Sunday of a month (the last when n is 0), as a date.
func sunday(year int, month time.Month, n int) time.Time {
	if n == 0 {
		t := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC)
		return t.AddDate(0, 0, -int(t.Weekday()))
	}
	t := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	return t.AddDate(0, 0, (7-int(t.Weekday()))%7+7*(n-1))
}

// at is the offset at an instant.
func (z *zone) at(t time.Time) time.Duration {
	t = t.UTC()
	standard := t.Add(z.offset) // wall clock of the winter
	y := standard.Year()
	between := func(t, from, to time.Time) bool { return !t.Before(from) && t.Before(to) }
	summer := false
	switch z.summer {
	case 'E': // changes at 01:00 UTC
		summer = between(t, sunday(y, 3, 0).Add(time.Hour), sunday(y, 10, 0).Add(time.Hour))
	case 'A': // 02:00 winter time to 02:00 summer time
		summer = between(standard, sunday(y, 3, 2).Add(2*time.Hour), sunday(y, 11, 1).Add(time.Hour))
	case 'S':
		summer = !between(standard, sunday(y, 4, 1).Add(2*time.Hour), sunday(y, 10, 1).Add(2*time.Hour))
	case 'N':
		summer = !between(standard, sunday(y, 4, 1).Add(2*time.Hour), sunday(y, 9, 0).Add(2*time.Hour))
	}
	if summer {
		return z.offset + time.Hour
	}
	return z.offset
}

// wall is what a clock in the zone shows, written as UTC.
func (z *zone) wall(t time.Time) time.Time { return t.UTC().Add(z.at(t)) }

// instant undoes wall; a time that the clocks skip is that much later.
func (z *zone) instant(wall time.Time) time.Time {
	t := wall.Add(-z.at(wall.Add(-z.offset)))
	if z.wall(t).Equal(wall) {
		return t
	}
	return wall.Add(-z.offset)
}

// stamp formats an instant with the zone's offset.
func (z *zone) stamp(t time.Time) string {
	return t.In(time.FixedZone("", int(z.at(t)/time.Second))).Format(time.RFC3339)
}
