// kubectl autoscale: makes a horizontal pod autoscaler for what can be scaled.

package kubectl

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubonsai/kubonsai/sim/api/resource"
	"github.com/spf13/pflag"

	autoscalingv2 "github.com/kubonsai/kubonsai/sim/api/autoscaling/v2"
	corev1 "github.com/kubonsai/kubonsai/sim/api/core/v1"
)

func autoscaleCommand() *Command {
	return &Command{
		Use:   "autoscale (-f FILENAME | TYPE NAME | TYPE/NAME) [--min=MINPODS] --max=MAXPODS [--cpu=CPU] [--memory=MEMORY]",
		Short: "Auto-scale a deployment, replica set, stateful set, or replication controller",
		Long:  "Create an autoscaler that chooses, between two bounds, how many pods an object has, by the load of the pods.",
		Examples: `kubectl autoscale deployment web --min=2 --max=10 --cpu=80%
kubectl autoscale rs web --max=5 --memory=500Mi`,
		New: func() Verb { return &autoscaleOptions{} },
	}
}

type autoscaleOptions struct {
	creator
	files       FilenameOptions
	record      recordFlag
	min, max    int32
	percent     int32
	cpu, memory string
	targetName  string
	args        []string
}

func (o *autoscaleOptions) Flags(f *pflag.FlagSet) {
	o.record.flags(f)
	o.out.flags(f)
	f.Int32Var(&o.min, "min", -1, "Least number of pods; the server chooses if it is not given")
	f.Int32Var(&o.max, "max", -1, "Most pods. Required.")
	markRequired(f, "max")
	f.Int32Var(&o.percent, "cpu-percent", -1, "Average CPU use to aim for, in percent of what the pods request")
	f.StringVar(&o.cpu, "cpu", "", "Average CPU use to aim for: 70% of the requests, or a quantity such as 500m")
	f.StringVar(&o.memory, "memory", "", "Average memory use to aim for: 60% of the requests, or a quantity such as 200Mi")
	f.StringVar(&o.targetName, "name", "", "Name of the autoscaler; that of the scaled object if it is not given")
	_ = f.MarkDeprecated("cpu-percent", "Use --cpu with percentage or resource quantity format (e.g., '70%' for utilization or '500m' for milliCPU).")
	dryRunFlag(f, &o.dryRunText)
	o.files.flags(f, "that names the object to scale")
	saveConfigFlag(f, &o.saveConfig)
	fieldManagerFlag(f, &o.manager, "kubectl-autoscale")
}

func (o *autoscaleOptions) Complete(s *Session, args []string) (err error) {
	o.s, o.args = s, args
	if o.dryRun, err = s.dryRun(o.dryRunText); err != nil {
		return err
	}
	if err := o.out.check(s); err != nil {
		return err
	}
	o.namespace, o.explicit, err = s.Namespace()
	return err
}

func (o *autoscaleOptions) Validate() error {
	if o.max < 1 {
		return fmt.Errorf("--max=MAXPODS is required and must be at least 1, max: %d", o.max)
	}
	if o.max < o.min {
		return fmt.Errorf("--max=MAXPODS must be larger or equal to --min=MINPODS, max: %d, min: %d", o.max, o.min)
	}
	if o.percent > 0 && o.cpu != "" {
		return errors.New("--cpu-percent and --cpu are mutually exclusive")
	}
	_, err := o.metrics()
	return err
}

func (o *autoscaleOptions) metrics() ([]autoscalingv2.MetricSpec, error) {
	var out []autoscalingv2.MetricSpec
	add := func(name corev1.ResourceName, target autoscalingv2.MetricTarget) {
		out = append(out, autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{Name: name, Target: target}})
	}
	if o.percent > 0 {
		add(corev1.ResourceCPU, autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &o.percent})
	}
	for _, m := range []struct {
		name       corev1.ResourceName
		text, unit string
	}{{corev1.ResourceCPU, o.cpu, "m"}, {corev1.ResourceMemory, o.memory, "Mi"}} {
		text := strings.TrimSpace(m.text)
		if m.text == "" {
			continue
		}
		if text == "" {
			return nil, errors.New("empty input")
		}
		if number, ok := strings.CutSuffix(text, "%"); ok {
			n, err := strconv.ParseInt(number, 10, 32)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("invalid percentage value: %s", number)
			}
			v := int32(n)
			add(m.name, autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &v})
			continue
		}
		quantity := text
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			quantity = fmt.Sprintf("%g%s", v, m.unit)
		}
		q, err := resource.ParseQuantity(quantity)
		if err != nil {
			return nil, fmt.Errorf("invalid resource %s value: %s", m.name, text)
		}
		add(m.name, autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &q})
	}
	return out, nil
}

func (o *autoscaleOptions) Run(s *Session) error {
	b, err := s.objects(o.files, o.args)
	if err != nil {
		return err
	}
	count := 0
	err = b.Do().Visit(func(i *Info) error {
		if !slices.Contains(i.Mapping.Subresources, "scale") {
			return fmt.Errorf("cannot autoscale a %s: could not find scale subresource for %s/%s, Resource=%s in discovery information",
				i.Mapping.Kind, i.Mapping.Group, i.Mapping.Version, i.Mapping.Resource)
		}
		o.name = o.targetName
		if o.name == "" {
			o.name = i.Name
		}
		hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: o.meta()}
		hpa.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: i.Mapping.APIVersion(), Kind: i.Mapping.Kind, Name: i.Name}
		hpa.Spec.MaxReplicas = o.max
		if o.min > 0 {
			hpa.Spec.MinReplicas = &o.min
		}
		if hpa.Spec.Metrics, err = o.metrics(); err != nil {
			return err
		}
		if o.record.record {
			hpa.Annotations = map[string]string{changeCause: s.commandLine()}
		}
		count++
		err = o.createAs(hpa, "autoscaled", "")
		if err == nil {
			return nil
		}
		// autoscaling/v1 is tried next, which knows percentages of the cpu only:
		// where those are not given, upstream's error is that --cpu is not, or none.
		const old = "failed to create autoscaling/v2 HPA and the configuration is incompatible with autoscaling/v1: "
		switch cpu := strings.TrimSpace(o.cpu); {
		case cpu == "":
			return errors.New(old + "empty input")
		case o.memory != "" || !strings.HasSuffix(cpu, "%"):
			return errors.New(old + "%!w(<nil>)")
		}
		return err
	})
	if err != nil {
		return err
	}
	if count == 0 {
		return errors.New("no objects passed to autoscale")
	}
	return nil
}
