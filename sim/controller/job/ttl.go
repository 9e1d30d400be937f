// Finished jobs with a time to live are deleted when it is over.

package job

import (
	"time"

	batchv1 "github.com/kubonsai/kubonsai/sim/api/batch/v1"
	apierrors "github.com/kubonsai/kubonsai/sim/api/errors"
	"github.com/kubonsai/kubonsai/sim/client"
	"github.com/kubonsai/kubonsai/sim/clock"
)

// Cleaner deletes finished jobs.
type Cleaner struct {
	client *client.Client
	clock  *clock.Clock
	jobs   *client.Informer[*batchv1.Job]
	queue  *client.Queue
}

// NewCleaner returns the controller that upstream calls ttl-after-finished.
func NewCleaner(c *client.Client, f *client.Factory) *Cleaner {
	t := &Cleaner{client: c, clock: f.Clock(), jobs: client.InformerFor[*batchv1.Job](f)}
	t.queue = client.NewQueue(f.Clock(), "ttl-after-finished", latency, t.sync)
	t.jobs.OnChange(func(_, job *batchv1.Job) {
		if job != nil && job.DeletionTimestamp == nil && job.Spec.TTLSecondsAfterFinished != nil && finished(job) != nil {
			t.queue.Add(client.Key(job))
		}
	})
	return t
}

func (t *Cleaner) sync(key string) error {
	job, ok := t.jobs.ByKey(key)
	if !ok || job.DeletionTimestamp != nil || job.Spec.TTLSecondsAfterFinished == nil {
		return nil
	}
	end := finished(job)
	if end == nil {
		return nil
	}
	due := end.LastTransitionTime.Add(time.Duration(*job.Spec.TTLSecondsAfterFinished) * time.Second)
	if left := due.Sub(t.clock.Now()); left > 0 {
		t.queue.AddAfter(key, left)
		return nil
	}
	err := client.Delete[*batchv1.Job](t.client, job.Namespace, job.Name, client.DeleteOptions{UID: string(job.UID), Propagation: "Foreground"})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
