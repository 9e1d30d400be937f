package sim

import "testing"

// What tutorials begin with: downloads of what is here already.
func TestDownloads(t *testing.T) {
	c, err := New(Options{Seed: 1, Log: func(text string) { t.Error(text) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, x := range []struct{ line, want string }{
		{"curl -sL https://k8s.io/examples/controllers/frontend.yaml | head -2; wget -q https://k8s.io/examples/pods/pod-rs.yaml && ls", "apiVersion: apps/v1\nkind: ReplicaSet\npod-rs.yaml\n"},
		{`curl -sLO "https://dl.k8s.io/release/$(curl -L -s https://dl.k8s.io/release/stable.txt)/bin/linux/amd64/kubectl"; curl -sLO https://dl.k8s.io/v1.36.2/bin/linux/amd64/kubectl.sha256; echo "$(cat kubectl.sha256)  kubectl" | sha256sum --check`, "kubectl: OK\n"},
		{"sudo install -o root -g root -m 0755 kubectl /usr/local/bin/kubectl && kubectl version --client | head -1; chmod +x kubectl; ./kubectl version --client | head -1", "Client Version: v1.36.2\nClient Version: v1.36.2\n"},
		{"curl -sLo ./kind https://kind.sigs.k8s.io/dl/v0.32.0/kind-linux-amd64; chmod +x ./kind; sudo mv ./kind /usr/local/bin/kind; kind version", "kind v0.32.0 go1.26.3 linux/amd64\n"},
		{"curl -sLO https://storage.googleapis.com/minikube/releases/latest/minikube-linux-amd64; sudo install minikube-linux-amd64 /usr/local/bin/minikube; minikube version --short", "v1.38.1\n"},
		{"curl -fsSL https://github.com/some/thing.tgz; curl https://nowhere.example", "curl: (22) The requested URL returned error: 404\ncurl: (6) Could not resolve host: nowhere.example\n"},
		{"curl -s https://github.com/some/thing.tgz", webMissing},
		{"install; install nope x; install -m 9 a b; install -d d/e; touch d/f; install -vm 600 -t d/e d/f; stat -c %a d/e/f", "install: missing file operand\nTry 'install --help' for more information.\ninstall: cannot stat 'nope': No such file or directory\ninstall: invalid mode ‘9’\n'd/f' -> 'd/e/f'\n600\n"},
		{"printf '#!/bin/sh\\nexec ./loop\\n' > loop; chmod +x loop; ./loop; echo $?", "./loop: line 2: ./loop: Resource temporarily unavailable\n126\n"},
	} {
		if got := do(t, c, "1", x.line); got != x.want {
			t.Errorf("$ %s\n got %q\nwant %q", x.line, got, x.want)
		}
	}
}
