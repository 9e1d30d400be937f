package duration

import (
	"testing"
	"time"
)

func TestHumanDuration(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		d            time.Duration
		human, short string
	}{
		{-3 * time.Second, "<invalid>", "<invalid>"},
		{-time.Second, "0s", "0s"},
		{0, "0s", "0s"},
		{119 * time.Second, "119s", "1m"},
		{120 * time.Second, "2m", "2m"},
		{599 * time.Second, "9m59s", "9m"},
		{10*time.Minute + 5*time.Second, "10m", "10m"},
		{179 * time.Minute, "179m", "2h"},
		{3*time.Hour + 20*time.Minute, "3h20m", "3h"},
		{8 * time.Hour, "8h", "8h"},
		{47 * time.Hour, "47h", "1d"},
		{2 * day, "2d", "2d"},
		{3*day + 4*time.Hour, "3d4h", "3d"},
		{8 * day, "8d", "8d"},
		{729 * day, "729d", "1y"},
		{730 * day, "2y", "2y"},
		{760 * day, "2y30d", "2y"},
		{8 * 365 * day, "8y", "8y"},
	} {
		if got := HumanDuration(c.d); got != c.human {
			t.Errorf("HumanDuration(%v) = %s, want %s", c.d, got, c.human)
		}
		if got := ShortHumanDuration(c.d); got != c.short {
			t.Errorf("ShortHumanDuration(%v) = %s, want %s", c.d, got, c.short)
		}
	}
}
