// kubectl create deployment, job and cronjob.

package kubectl

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kubonsai/kubonsai/sim/api"
	appsv1 "github.com/kubonsai/kubonsai/sim/api/apps/v1"
	batchv1 "github.com/kubonsai/kubonsai/sim/api/batch/v1"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
	metav1 "github.com/kubonsai/kubonsai/sim/api/meta/v1"
	"github.com/kubonsai/kubonsai/sim/kubectl/tree"
)

func createDeploymentCommand() *Command {
	return &Command{
		Use:     "deployment NAME --image=image -- [COMMAND] [args...]",
		Aliases: []string{"deploy"},
		Short:   "Create a deployment with the specified name",
		Examples: `kubectl create deployment web --image=nginx
kubectl create deployment web --image=nginx --replicas=3 --port=80
kubectl create deployment clock --image=busybox -- sh -c 'while date; do sleep 1; done'`,
		New: func() Verb { return &createDeployment{} },
	}
}

type createDeployment struct {
	creator
	images   []string
	port     int32
	replicas int32
}

func (o *createDeployment) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	f.StringSliceVar(&o.images, "image", nil, "Image to run; several make a pod of several containers")
	markRequired(f, "image")
	f.Int32Var(&o.port, "port", -1, "Port that the first container serves")
	f.Int32VarP(&o.replicas, "replicas", "r", 1, "Number of pods")
}

func (o *createDeployment) Validate() error {
	if len(o.images) > 1 && len(o.command) > 0 {
		return errors.New("cannot specify multiple --image options and command")
	}
	return nil
}

func (o *createDeployment) Run(s *Session) error {
	labels := map[string]string{"app": o.name}
	d := &appsv1.Deployment{ObjectMeta: o.meta()}
	d.Labels = labels
	d.Spec.Replicas = &o.replicas
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	d.Spec.Template.Labels = labels
	for _, image := range o.images {
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers,
			corev1.Container{Name: s.containerName(image), Image: image, Command: o.command})
	}
	if o.port >= 0 && len(o.images) > 0 {
		d.Spec.Template.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: o.port}}
	}
	return o.create(d, "deployment:")
}

// containerName is the last part of an image's name, made a label.
func (s *Session) containerName(image string) string {
	name := image[strings.LastIndexByte(image, '/')+1:]
	name, _, _ = strings.Cut(name, ":")
	name, _, _ = strings.Cut(name, "@")
	if strings.ContainsAny(name, "_.") {
		name = strings.NewReplacer("_", "-", ".", "-").Replace(name) + "-" + s.suffix(image)
	}
	return name
}

func createJobCommand() *Command {
	return &Command{
		Use:   "job NAME --image=image [--from=cronjob/name] -- [COMMAND] [args...]",
		Short: "Create a job with the specified name",
		Examples: `kubectl create job once --image=busybox -- date
kubectl create job now --from=cronjob/nightly`,
		New: func() Verb { return &createJob{} },
	}
}

type createJob struct {
	creator
	image, from string
}

func (o *createJob) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	f.StringVar(&o.image, "image", "", "Image to run")
	f.StringVar(&o.from, "from", "", "Object to make the job from; only cron jobs can be")
}

func (o *createJob) Validate() error {
	if o.image == "" && o.from == "" || o.image != "" && o.from != "" {
		return errors.New("either --image or --from must be specified")
	}
	if len(o.command) > 0 && o.from != "" {
		return errors.New("cannot specify --from and command")
	}
	return nil
}

func (o *createJob) Run(s *Session) error {
	job := &batchv1.Job{ObjectMeta: o.meta()}
	if o.image != "" {
		job.Spec.Template.Spec = corev1.PodSpec{
			Containers:    []corev1.Container{{Name: o.name, Image: o.image, Command: o.command}},
			RestartPolicy: corev1.RestartPolicyNever,
		}
		return o.create(job, "job:")
	}
	infos, err := (&Builder{S: s, Namespace: o.namespace, Args: []string{o.from}, Flatten: true}).Do().Infos()
	if err != nil {
		return err
	}
	if len(infos) != 1 {
		return errors.New("from must be an existing cronjob")
	}
	if tree.Kind(infos[0].Object) != "CronJob" {
		return fmt.Errorf("unknown object type %s", "*v1."+tree.Kind(infos[0].Object))
	}
	cron := new(batchv1.CronJob)
	if err := api.FromTree(infos[0].Object, cron); err != nil {
		return err
	}
	job.Annotations = map[string]string{"cronjob.kubernetes.io/instantiate": "manual"}
	maps.Copy(job.Annotations, cron.Spec.JobTemplate.Annotations)
	job.Labels = cron.Spec.JobTemplate.Labels
	controller := true
	job.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "CronJob", Name: cron.Name, UID: cron.UID, Controller: &controller}}
	job.Spec = cron.Spec.JobTemplate.Spec
	return o.create(job, "job:")
}

func createCronJobCommand() *Command {
	return &Command{
		Use:      "cronjob NAME --image=image --schedule='0/5 * * * ?' -- [COMMAND] [args...] [flags]",
		Aliases:  []string{"cj"},
		Short:    "Create a cron job with the specified name",
		Examples: `kubectl create cronjob nightly --image=busybox --schedule='0 3 * * *' -- date`,
		New:      func() Verb { return &createCronJob{} },
	}
}

type createCronJob struct {
	creator
	image, schedule, restart string
}

func (o *createCronJob) Flags(f *pflag.FlagSet) {
	o.creator.Flags(f)
	f.StringVar(&o.image, "image", "", "Image to run")
	f.StringVar(&o.schedule, "schedule", "", "When to run, in cron's format")
	markRequired(f, "image", "schedule")
	f.StringVar(&o.restart, "restart", "", "Restart policy: OnFailure or Never")
}

func (o *createCronJob) Run(*Session) error {
	if o.restart == "" {
		o.restart = string(corev1.RestartPolicyOnFailure)
	}
	cron := &batchv1.CronJob{ObjectMeta: o.meta()}
	cron.Spec.Schedule = o.schedule
	cron.Spec.JobTemplate.Name = o.name
	cron.Spec.JobTemplate.Spec.Template.Spec = corev1.PodSpec{
		Containers:    []corev1.Container{{Name: o.name, Image: o.image, Command: o.command}},
		RestartPolicy: corev1.RestartPolicy(o.restart),
	}
	return o.create(cron, "cronjob:")
}
