package timezone

import (
	"strings"
	"testing"
	"time"
)

// TestZones compares with the tz database of the machine that runs the test.
func TestZones(t *testing.T) {
	const near = " Africa/Cairo Africa/Casablanca Africa/El_Aaiun America/Havana America/Santiago Antarctica/Troll Asia/Beirut Asia/Gaza Asia/Hebron Asia/Jerusalem Asia/Tel_Aviv Australia/LHI Australia/Lord_Howe Chile/Continental Chile/EasterIsland Cuba Egypt Europe/Chisinau Europe/Tiraspol Israel Pacific/Easter "
	count := 0
	visit(func(_, name string) bool {
		count++
		want, err := time.LoadLocation(name)
		if err != nil {
			return true // older than the name
		}
		z, err := Find(name)
		if err != nil {
			t.Error(err)
			return true
		}
		if strings.Contains(near, " "+name+" ") {
			return true
		}
		for at := time.Date(2026, 7, 1, 0, 30, 0, 0, time.UTC); at.Year() < 2028; at = at.Add(7 * time.Hour) {
			if _, off := at.In(want).Zone(); time.Duration(off)*time.Second != z.At(at) {
				t.Errorf("%s at %s: %v, want %ds", name, at, z.At(at), off)
				break
			}
		}
		return true
	})
	if count < 550 {
		t.Errorf("%d names", count)
	}
	for name, ok := range map[string]bool{"": true, "Etc/GMT-9": true, "Asia/Tokyo": true, "Japan": true, "America/Argentina/Ushuaia": true,
		"Asia/Tokio": false, "Nowhere/Land": false, "Tokyo": false, "Asia/": false, "asia/tokyo": false, "/Japan": false} {
		if _, err := Find(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
