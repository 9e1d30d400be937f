module github.com/kubonsai/kubonsai

go 1.26.0

require (
	github.com/benhoyt/goawk v1.31.0
	github.com/go-logr/logr v1.4.3
	github.com/hack-pad/go-indexeddb v0.3.2
	github.com/itchyny/gojq v0.12.17
	github.com/itchyny/timefmt-go v0.1.6
	github.com/spf13/pflag v1.0.10
	github.com/tidwall/btree v1.8.2
	github.com/yuin/goldmark v1.8.7
	golang.org/x/net v0.49.0
	google.golang.org/protobuf v1.36.12-0.20260120151049-f2248ac996af
	k8s.io/apimachinery v0.36.2
	k8s.io/client-go v0.36.2
	k8s.io/klog/v2 v2.140.0
	k8s.io/streaming v0.36.2
	mvdan.cc/sh/v3 v3.14.1
	sigs.k8s.io/json v0.0.0-20260909141634-11ed52e25bc5
	sigs.k8s.io/yaml v1.6.0
)

require github.com/syumai/workers v0.33.0

require (
	github.com/google/gnostic-models v0.7.0
)

require (
	github.com/fxamacker/cbor/v2 v2.9.0 // indirect
	github.com/hack-pad/safejs v0.1.0 // indirect
	github.com/moby/spdystream v0.5.1 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	go.yaml.in/yaml/v2 v2.4.3
	go.yaml.in/yaml/v3 v3.0.4
	gopkg.in/inf.v0 v0.9.1 // indirect
	k8s.io/utils v0.0.0-20260210185600-b8788abfbbc2 // indirect
	sigs.k8s.io/randfill v1.0.0 // indirect
)
