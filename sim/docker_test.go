package sim

import (
	"regexp"
	"testing"
)

// docker, for readers of kind's pages: nodes are containers.
func TestDocker(t *testing.T) {
	c, err := New(Options{Seed: 1, Nodes: 2, ImagesPresent: true, Log: func(text string) { t.Error(text) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do(t, c, "1", "kubectl create deployment web --image=nginx >/dev/null; sleep 30")
	for _, x := range []struct{ line, want string }{ // want is a regular expression
		{"docker ps", `^CONTAINER ID   IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES\n[0-9a-f]{12}   kindest/node:v1\.36\.2   "/usr/local/bin/entr…"   2 minutes ago   Up 2 minutes   127\.0\.0\.1:6443->6443/tcp   kind-control-plane\n.* kind-worker\n$`},
		{`docker ps --format '{{.Names}}: {{.State}}' --filter name=worker`, `^kind-worker: running\n$`},
		{`docker ps --format 'table {{.Names}}\t{{.State}}'`, `^NAMES +STATE\nkind-control-plane   running\n`},
		{`docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' kind-worker`, `^172\.18\.0\.3\n$`},
		{`docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' kind`, `^172\.18\.0\.0/16\n$`},
		{"docker exec kind-worker crictl ps", `^CONTAINER +IMAGE +CREATED +STATE +NAME +ATTEMPT +POD ID +POD +NAMESPACE\n[0-9a-f]{13} .* ago +Running +nginx +0 +[0-9a-f]{13} +web-\S+ +default\n`},
		{"docker exec kind-worker sh -c 'cat /etc/hostname; whoami; echo one > /mnt/x; crictl pods | wc -l'; printf 'cat /mnt/x; exit 3' | docker exec -i kind-worker bash; echo $?", `^kind-worker\nroot\n[2-9]\none\n3\n$`},
		{"docker exec kind-worker systemctl status kubelet; docker exec kind-worker nope", `^docker: the simulation has no systemctl on its nodes(?s:.*)"nope": executable file not found`},
		{"docker stop kind-worker; sleep 50; kubectl get node kind-worker --no-headers; docker ps -q | wc -l; docker exec kind-worker crictl ps", `^kind-worker\nkind-worker +NotReady .*\n1\nError response from daemon: container [0-9a-f]{64} is not running\n$`},
		{"docker start kind-worker; sleep 20; kubectl get node kind-worker --no-headers", `^kind-worker\nkind-worker +Ready `},
		{"docker stop kind-control-plane; kubectl get nodes; docker start kind-control-plane; sleep 20; kubectl get nodes -o name", `was refused - did you specify the right host or port\?\nkind-control-plane\nnode/kind-control-plane\n`},
		{"docker pull nginx:1.27 | tail -1; docker pull nginx:nope", `^docker.io/library/nginx:1.27\nError response from daemon: failed to resolve reference "docker.io/library/nginx:nope": docker.io/library/nginx:nope: not found\n$`},
		{"docker run -d nginx", `^docker: the simulation has no docker run: `},
		{"docker foo; docker stop; docker stop nope; docker exec kind-worker foo; docker inspect nope", `^docker: unknown command: docker foo\n(?s:.*)requires at least 1 argument\n(?s:.*)No such container: nope\n(?s:.*)exec: "foo": executable file not found in \$PATH\nerror: no such object: nope\n\[\]\n$`},
	} {
		if got := do(t, c, "1", x.line); !regexp.MustCompile(x.want).MatchString(got) {
			t.Errorf("$ %s\n got %q\nwant %q", x.line, got, x.want)
		}
	}
}
