// When a schedule is due: the five fields of cron with names, lists, ranges and
// steps, the @-words, and time zones. Whether a schedule is well formed is the
// API server's affair; what is not is refused here in few words.

package cronjob

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/kubonsai/kubonsai/sim/api/timezone"
)

// schedule finds due times.
type schedule struct {
	every                         time.Duration // of @every; the fields are unused then
	minute, hour, dom, month, dow uint64
	anyDom, anyDow                bool
	zone                          *timezone.Zone
}

var words = map[string]string{"yearly": "0 0 1 1 *", "annually": "0 0 1 1 *", "monthly": "0 0 1 * *",
	"weekly": "0 0 * * 0", "daily": "0 0 * * *", "midnight": "0 0 * * *", "hourly": "0 * * * *"}

const (
	monthNames = "jan feb mar apr may jun jul aug sep oct nov dec"
	dayNames   = "sun mon tue wed thu fri sat"
)

// parseSchedule reads a schedule that is meant in a time zone.
func parseSchedule(text string, z *timezone.Zone) (*schedule, error) {
	s := &schedule{zone: z}
	if word, ok := strings.CutPrefix(text, "@"); ok {
		if d, ok := strings.CutPrefix(word, "every "); ok {
			every, err := time.ParseDuration(d)
			if err != nil {
				return nil, fmt.Errorf("failed to parse duration @%s: %s", word, err)
			}
			s.every = max(time.Second, every.Truncate(time.Second))
			return s, nil
		}
		if text, ok = words[word]; !ok {
			return nil, fmt.Errorf("unrecognized descriptor: @%s", word)
		}
	}
	parts := strings.Fields(text)
	if len(parts) != 5 {
		return nil, fmt.Errorf("expected exactly 5 fields, found %d: %v", len(parts), parts)
	}
	s.anyDom, s.anyDow = parts[2][0] == '*' || parts[2][0] == '?', parts[4][0] == '*' || parts[4][0] == '?'
	for i, f := range []struct {
		to        *uint64
		low, high int
		names     string
	}{{&s.minute, 0, 59, ""}, {&s.hour, 0, 23, ""}, {&s.dom, 1, 31, ""}, {&s.month, 1, 12, monthNames}, {&s.dow, 0, 6, dayNames}} {
		for expr := range strings.SplitSeq(parts[i], ",") {
			set, err := parseRange(expr, f.low, f.high, f.names)
			if err != nil {
				return nil, err
			}
			*f.to |= set
		}
	}
	return s, nil
}

func parseRange(expr string, low, high int, names string) (uint64, error) {
	number := func(text string) (int, error) {
		for i, name := range strings.Fields(names) {
			if strings.EqualFold(name, text) {
				return low + i, nil
			}
		}
		return strconv.Atoi(text)
	}
	span, by, stepped := strings.Cut(expr, "/")
	from, to, ranged := strings.Cut(span, "-")
	first, last, step := low, high, 1
	var err error
	if from != "*" && from != "?" {
		if first, err = number(from); err != nil {
			return 0, err
		}
		switch {
		case ranged:
			if last, err = number(to); err != nil {
				return 0, err
			}
		case !stepped:
			last = first
		}
	}
	if stepped {
		if step, err = strconv.Atoi(by); err != nil {
			return 0, err
		}
	}
	if first < low || last > high || first > last || step < 1 {
		return 0, fmt.Errorf("bad range %s", expr)
	}
	var set uint64
	for i := first; i <= last; i += step {
		set |= 1 << i
	}
	return set, nil
}

// Next is the first due time after t; the zero time when there is none within
// five years.
func (s *schedule) Next(t time.Time) time.Time {
	if s.every > 0 {
		return t.Add(s.every - time.Duration(t.Nanosecond()))
	}
	// The walk is over wall clock times, written as if they were UTC.
	wall := s.zone.Wall(t).Truncate(time.Minute).Add(time.Minute)
	for limit := wall.AddDate(5, 0, 0); wall.Before(limit); {
		y, m, d := wall.Date()
		switch {
		case s.month>>int(m)&1 == 0:
			wall = time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
		case !s.day(wall):
			wall = time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC)
		case s.hour>>wall.Hour()&1 == 0:
			wall = time.Date(y, m, d, wall.Hour()+1, 0, 0, 0, time.UTC)
		case s.minute>>wall.Minute() == 0:
			wall = time.Date(y, m, d, wall.Hour()+1, 0, 0, 0, time.UTC)
		default:
			wall = wall.Add(time.Duration(bits.TrailingZeros64(s.minute>>wall.Minute())) * time.Minute)
			if due := s.zone.Instant(wall); due.After(t) {
				return due
			}
			wall = wall.Add(time.Minute)
		}
	}
	return time.Time{}
}

func (s *schedule) day(t time.Time) bool {
	dom, dow := s.dom>>t.Day()&1 == 1, s.dow>>int(t.Weekday())&1 == 1
	if s.anyDom || s.anyDow {
		return dom && dow
	}
	return dom || dow
}
