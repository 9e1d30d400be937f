package cronjob

import (
	"slices"
	"testing"
	"time"

	batchv1 "github.com/kubonsai/kubonsai/sim/api/batch/v1"
	"github.com/kubonsai/kubonsai/sim/api/timezone"
	ct "github.com/kubonsai/kubonsai/sim/controller/controllertest"
	"github.com/kubonsai/kubonsai/sim/controller/job"
)

// Due times as cron(5) has them; the host's time zone database is the judge of zones.
func TestNext(t *testing.T) {
	from := time.Date(2026, 2, 27, 23, 58, 30, 0, time.UTC)
	for text, want := range map[string]string{
		"* * * * *": "2026-02-27T23:59:00Z", "*/15 * * * *": "2026-02-28T00:00:00Z", "30 4 1,15 * 5": "2026-03-01T04:30:00Z",
		"0 0 29 2 *": "2028-02-29T00:00:00Z", "5 0 * mar-may SUN": "2026-03-01T00:05:00Z", "@hourly": "2026-02-28T00:00:00Z",
		"@every 90s": "2026-02-28T00:00:00Z", "0 12 31 2 *": "0001-01-01T00:00:00Z", "0 9-17/4 * * 1-5": "2026-03-02T09:00:00Z",
	} {
		s, err := parseSchedule(text, &timezone.Zone{})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := s.Next(from).Format(time.RFC3339); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for _, bad := range []string{"", "* * * *", "60 * * * *", "a * * * *", "*/0 * * * *", "@nope"} {
		if _, err := parseSchedule(bad, &timezone.Zone{}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestStartsAndCleansUp(t *testing.T) {
	c := ct.New(t)
	New(c.Client, c.Factory)
	job.New(c.Client, c.Factory)
	ct.Apply[*batchv1.CronJob](c, `
metadata: {name: hello}
spec:
  schedule: "* * * * *"
  concurrencyPolicy: Forbid
  jobTemplate:
    spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}}}
`)
	c.Run(61 * time.Second)
	cj := ct.Get[*batchv1.CronJob](c, "default", "hello")
	jobs := ct.List[*batchv1.Job](c, "")
	if len(jobs) != 1 || len(cj.Status.Active) != 1 || cj.Status.Active[0].Name != jobs[0].Name || cj.Status.LastScheduleTime == nil {
		t.Fatalf("%d jobs, %+v", len(jobs), cj.Status)
	}
	c.Run(60 * time.Second)
	if n := len(ct.List[*batchv1.Job](c, "")); n != 1 {
		t.Errorf("%d jobs while one is running and others are forbidden", n)
	}
	ct.Change(c, "default", "hello", func(cj *batchv1.CronJob) { cj.Spec.ConcurrencyPolicy = batchv1.ReplaceConcurrent })
	c.Run(60 * time.Second)
	events := c.Events("hello")
	if !slices.Contains(events, "Normal SuccessfulDelete Deleted job "+jobs[0].Name) {
		t.Errorf("%q", events)
	}
}
