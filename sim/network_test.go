package sim

import (
	"strings"
	"testing"
)

// scriptStep is what a reader types, with what is to be seen. The lines of a
// want that begins with "~ " have to be contained; "-" is anything.
type scriptStep struct{ line, want string }

func runScript(t *testing.T, opts Options, steps []scriptStep) {
	t.Helper()
	opts.ImagesPresent = true
	opts.Log = func(text string) { t.Error(text) }
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, x := range steps {
		got := do(t, c, "1", x.line)
		if parts, loose := strings.CutPrefix(x.want, "~ "); loose {
			for _, p := range strings.Split(parts, "\n") {
				if !strings.Contains(got, p) {
					t.Errorf("$ %s\n got %s\nwithout %q", x.line, got, p)
				}
			}
		} else if x.want != "-" && got != x.want {
			t.Errorf("$ %s\n got %q\nwant %q", x.line, got, x.want)
		}
	}
}

const deny = `kubectl apply -f - <<X
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
X
`

// What clients say of a connection that policies drop, a name that nobody
// answers, a port that nobody listens on.
func TestDroppedConnections(t *testing.T) {
	runScript(t, Options{Seed: 1}, []scriptStep{
		{"kubectl run web --image=nginx:1.27 --port=80 --expose; kubectl run box --image=busybox:1.36 --command -- sleep 36000; kubectl run cu --image=curlimages/curl:8.5.0 --command -- sleep 36000", "-"},
		{"kubectl wait --for=condition=Ready pod/web pod/box pod/cu; IP=$(kubectl get svc web -o jsonpath={.spec.clusterIP}); POD=$(kubectl get pod web -o jsonpath={.status.podIP})", "-"},
		{"kubectl exec cu -- curl -s web | grep -c Welcome", "2\n"},
		{"kubectl exec box -- ping -qc 1 $POD; kubectl exec box -- ping -qc 1 web", "~  (10.244.0.3): 56 data bytes\n1 packets transmitted, 1 packets received, 0% packet loss\nPING web (10.96.\n1 packets transmitted, 0 packets received, 100% packet loss"},
		{"kubectl scale -n kube-system deployment coredns --replicas=0; sleep 40; kubectl exec cu -- curl -sS web", "deployment.apps/coredns scaled\ncurl: (6) Could not resolve host: web\ncommand terminated with exit code 6\n"},
		{"kubectl scale -n kube-system deployment coredns --replicas=1; sleep 10; kubectl exec box -- nslookup web.default.svc.cluster.local | grep -c Name", "deployment.apps/coredns scaled\n1\n"},
		{"kubectl exec box -- dd if=/dev/zero of=/tmp/x bs=1M count=3 2>&1 | sed 's/, .*//'; dd if=/dev/zero of=x bs=1M count=99 2>&1 | head -3", "3+0 records in\n3+0 records out\n3145728 bytes (3.0MB) copied\ndd: error writing 'x': No space left on device\n8+0 records in\n7+1 records out\n"},
		{deny, "networkpolicy.networking.k8s.io/deny created\n"},
		{"kubectl exec cu -- curl -sS -m 2 $IP", "curl: (28) Connection timed out after 2001 milliseconds\ncommand terminated with exit code 28\n"},
		{"kubectl exec cu -- curl -sS --connect-timeout 3 $IP", "~ curl: (28) Failed to connect to 10.96.\n port 80 after 3001 ms: Timeout was reached\ncommand terminated with exit code 28\n"},
		{"kubectl exec cu -- curl -sS web", "curl: (6) Could not resolve host: web\ncommand terminated with exit code 6\n"},
		{"kubectl exec cu -- curl -sS -m 4 web", "curl: (28) Resolving timed out after 4001 milliseconds\ncommand terminated with exit code 28\n"},
		{"kubectl exec box -- wget -T 2 -O- $IP", "~ wget: download timed out"},
		{"kubectl exec box -- wget -T 2 -O- web", "wget: bad address 'web'\ncommand terminated with exit code 1\n"},
		{"kubectl exec box -- nslookup web", ";; connection timed out; no servers could be reached\n\ncommand terminated with exit code 1\n"},
		{"kubectl exec box -- nc -zv -w 2 $POD 80", "~ Operation timed out"},
		// the node's probes, exec, logs and port-forwards are no business of policies
		{"kubectl port-forward pod/web 8080:80 > pf.log & sleep 1; curl -s localhost:8080 | grep -c Welcome; kill $!; wait", "2\n"},
		{"kubectl get pods web -o jsonpath={.status.containerStatuses[0].ready}", "true"},
		{"kubectl delete networkpolicy deny; kubectl exec cu -- curl -s web | grep -c Welcome", "networkpolicy.networking.k8s.io \"deny\" deleted from default namespace\n2\n"},
		{"kubectl delete pod web --now; kubectl exec cu -- curl -sS web", "~ curl: (7) Failed to connect to web port 80 after 0 ms: Couldn't connect to server"},
		{"curl -sS http://web.default.svc.cluster.local", "curl: (6) Could not resolve host: web.default.svc.cluster.local\n"},
	})
}

// https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
func TestNames(t *testing.T) {
	const dig = "kubectl exec tool -- dig +short "
	runScript(t, Options{Seed: 1}, []scriptStep{
		{`kubectl apply -f - <<X
apiVersion: v1
kind: Service
metadata: {name: sub}
spec: {clusterIP: None, selector: {name: named}, ports: [{name: foo, port: 1234, targetPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: empty}
spec: {clusterIP: None, selector: {name: nobody}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: p1, labels: {name: named}}
spec: {hostname: host-1, subdomain: sub, containers: [{name: a, image: "nginx:1.27"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: net}
spec: {hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet, containers: [{name: a, image: "busybox:1.36", command: [sleep, "36000"]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: net2}
spec: {hostNetwork: true, containers: [{name: a, image: "busybox:1.36", command: [sleep, "36000"]}]}
X
kubectl create service externalname ext --external-name=sub.default.svc.cluster.local
kubectl run tool --image=nicolaka/netshoot --command -- sleep 36000; kubectl run box --image=busybox:1.36 --command -- sleep 36000
kubectl wait --for=condition=Ready pod --all; IP=$(kubectl get pod p1 -o jsonpath={.status.podIP})`, "-"},
		{dig + "sub.default.svc.cluster.local | sed s/$IP/IP/", "IP\n"},
		{dig + "host-1.sub.default.svc.cluster.local | sed s/$IP/IP/", "IP\n"},
		{dig + "-t SRV _foo._tcp.sub.default.svc.cluster.local", "0 100 80 host-1.sub.default.svc.cluster.local.\n"},
		{dig + "-t SRV _https._tcp.kubernetes.default.svc.cluster.local", "0 100 443 kubernetes.default.svc.cluster.local.\n"},
		{dig + "-x $IP", "host-1.sub.default.svc.cluster.local.\n"},
		{dig + "-x 10.96.0.1", "kubernetes.default.svc.cluster.local.\n"},
		{dig + "ext.default.svc.cluster.local | sed s/$IP/IP/", "sub.default.svc.cluster.local.\nIP\n"},
		{dig + "$(echo $IP | tr . -).default.pod.cluster.local | sed s/$IP/IP/", "IP\n"},
		{dig + "sub", ""},
		{dig + "+search sub | sed s/$IP/IP/", "IP\n"},
		{"kubectl exec tool -- dig nosuch.default.svc.cluster.local | grep status", ";; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 4711\n"},
		{"kubectl exec tool -- dig empty.default.svc.cluster.local | grep -E 'status|ANSWER'", "~ status: NOERROR\nANSWER: 0"},
		{"kubectl exec box -- nslookup host-1.sub.default.svc.cluster.local | grep -c $IP", "1\n"},
		{"kubectl exec p1 -- hostname -f", "host-1.sub.default.svc.cluster.local\n"},
		{"kubectl exec net -- wget -qO- ext | grep -c Welcome", "2\n"},
		{"kubectl exec net2 -- wget -qO- sub.default.svc.cluster.local", "wget: bad address 'sub.default.svc.cluster.local'\ncommand terminated with exit code 1\n"},
		// Endpoints written by hand, for a service without a selector
		{"kubectl create service clusterip byhand --tcp=80; kubectl patch svc byhand --type=json -p '[{\"op\":\"remove\",\"path\":\"/spec/selector\"}]'; sleep 1; kubectl delete endpointslice,endpoints -l kubernetes.io/service-name=byhand; kubectl delete endpoints byhand; kubectl apply -f - <<X\napiVersion: v1\nkind: Endpoints\nmetadata: {name: byhand}\nsubsets: [{addresses: [{ip: $IP}], ports: [{name: '80', port: 80}]}]\nX\nsleep 1; kubectl exec box -- wget -qO- byhand | grep -c Welcome", "~ 2"},
	})
}

func TestTrace(t *testing.T) {
	runScript(t, Options{Seed: 1}, []scriptStep{
		{"kubectl create deployment web --image=nginx:1.27 --replicas=2; kubectl create service nodeport web --tcp=80:80 --node-port=30080; kubectl run box --image=busybox:1.36 --command -- sleep 36000; kubectl wait --for=condition=Ready pod --all", "-"},
		{"kubonsai trace localhost:30080 | sed 's/[a-z0-9]*-[a-z0-9]* on/X on/'; echo ${PIPESTATUS[0]}", `from this machine (172.18.0.1)
name       localhost is 127.0.0.1, by /etc/hosts
service    default/web (NodePort), by its nodePort 30080 on node kind-control-plane
port       80-80, 80/TCP to target port 80
endpoint   one of 2, each with a chance of 1/2
             10.244.0.3:80 pod default/web-X on kind-control-plane
             10.244.0.4:80 pod default/web-X on kind-control-plane
result     connects
0
`},
		{"kubonsai trace --from box http://web/ | sed '/svc:/d;s/10.96.[0-9.]*/VIP/g' | head -4", `from pod default/box (10.244.0.5)
name       web is VIP
             web.default.svc.cluster.local: VIP
service    default/web (NodePort), by its clusterIP VIP
`},
		{"kubonsai trace --from box web:81 | tail -3", "port       the service has no port 81/TCP\n             it has 80-80, 80/TCP to target port 80\nresult     connection refused\n"},
		{"kubonsai trace --from box nosuch | tail -1; kubonsai trace --from box nosuch > /dev/null; echo $?", "             nosuch: no such name\n1\n"},
		{"kubectl patch svc web -p '{\"spec\":{\"selector\":{\"app\":\"wep\"}}}'; kubonsai trace localhost:30080 | tail -3", "service/web patched\nendpoints  none: no pod in namespace default has the labels app=wep\n             2 of its pods have app=web\nresult     the connection is closed without an answer\n"},
		{"curl -sS localhost:30080", "curl: (52) Empty reply from server\n"},
		{"kubectl patch svc web -p '{\"spec\":{\"selector\":{\"app\":\"web\"},\"ports\":[{\"port\":80,\"name\":\"80-80\",\"targetPort\":8080}]}}'; kubonsai trace --from box web | grep -c 'nothing listens on port 8080'", "service/web patched\n2\n"},
		{"kubectl patch svc web -p '{\"spec\":{\"ports\":[{\"port\":80,\"name\":\"80-80\",\"targetPort\":80}]}}'", "service/web patched\n"},
		{deny + "kubonsai trace localhost:30080 | tail -4 | cut -c1-40", "~ ingress: denied: deny\nresult     connects to none of the endpo"},
		{"kubonsai trace --from box web | grep -A1 name", "~ name       web: the name server 10.96.0.10 does not answer"},
		{"kubonsai trace --from box web | grep egress", "               egress: denied: deny selects pod default/box and has no rule for this\n"},
		{"kubonsai trace; echo $?", "kubonsai: what destination? See kubonsai trace --help\n2\n"},
		{"kubonsai trace --from nobody web; echo $?", "kubonsai: no pod nobody runs in namespace default\n1\n"},
		{"kubonsai trace web:99999; kubonsai trace ftp://x; kubonsai trace a b; kubonsai trace -x; kubonsai nonsense 2>&1 | head -1", "~ kubonsai: not a port: 99999\nkubonsai: unknown scheme ftp\nkubonsai: one destination at a time: a or b\nkubonsai: unknown option -x\nkubonsai: unknown command \"nonsense\""},
		{"kubonsai trace --help | head -1; kubonsai | head -1", "Explain a connection: which name, Service, rule and endpoint, or why none.\nkubonsai asks the simulation itself.\n"},
	})
}

// https://kind.sigs.k8s.io/docs/user/ingress/
func TestIngress(t *testing.T) {
	const rules = `kubectl apply -f - <<X
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: hello}
spec:
  ingressClassName: nginx
  rules:
  - host: hello.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: one, port: {number: 8080}}}}
      - {path: /two, pathType: Prefix, backend: {service: {name: two, port: {number: 8080}}}}
      - {path: /exact, pathType: Exact, backend: {service: {name: two, port: {number: 8080}}}}
      - {path: /none, pathType: Exact, backend: {service: {name: none, port: {number: 80}}}}
  - host: "*.wild.example"
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: two, port: {number: 8080}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: rewritten, annotations: {nginx.ingress.kubernetes.io/rewrite-target: /\$2}}
spec:
  tls: [{hosts: [safe.example]}]
  rules:
  - http: {paths: [{path: "/who(/|\$)(.*)", pathType: ImplementationSpecific, backend: {service: {name: who, port: {name: http}}}}]}
  - host: safe.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: one, port: {number: 8080}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: foreign}
spec: {ingressClassName: other, defaultBackend: {service: {name: one, port: {number: 8080}}}}
X
`
	get := func(host, path string) string {
		return "curl -s -H 'Host: " + host + "' http://localhost" + path + " | grep -oE 'Version: .|>[45].*</title|GET .*'"
	}
	runScript(t, Options{Seed: 1}, []scriptStep{
		{"curl -sS localhost", "curl: (7) Failed to connect to localhost port 80 after 0 ms: Couldn't connect to server\n"},
		{"kubectl apply -f https://kind.sigs.k8s.io/examples/ingress/deploy-ingress-nginx.yaml | tail -2", "ingressclass.networking.k8s.io/nginx created\nvalidatingwebhookconfiguration.admissionregistration.k8s.io/ingress-nginx-admission created\n"},
		{"kubectl wait -n ingress-nginx --for=condition=ready pod --selector=app.kubernetes.io/component=controller --timeout=90s", "~ condition met"},
		{"for v in 1 2; do n=$([ $v = 1 ] && echo one || echo two); kubectl create deployment $n --image=gcr.io/google-samples/hello-app:$v.0; kubectl expose deployment $n --port=8080; done; kubectl create deployment who --image=traefik/whoami; kubectl create service clusterip who --tcp=80; kubectl patch svc who --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/ports/0/name\",\"value\":\"http\"}]'; kubectl wait --for=condition=Available deployment --all", "-"},
		{rules, "-"},
		{"sleep 15; kubectl get ingress -o custom-columns=N:.metadata.name,A:.status.loadBalancer.ingress[0].hostname --no-headers | tr -s ' '", "foreign <none>\nhello localhost\nrewritten localhost\n"},
		{"kubectl describe ingress hello | grep Sync | tr -s ' ' | cut -d' ' -f2,3,8-", "~ Normal Sync"},
		{get("hello.example", "/"), "Version: 1\n"},
		{get("HELLO.example:80", "/other"), "Version: 1\n"},
		{get("hello.example", "/two"), "Version: 2\n"},
		{get("hello.example", "/two/x?y"), "Version: 2\n"},
		{get("hello.example", "/twofold"), "Version: 1\n"},
		{get("hello.example", "/exact"), "Version: 2\n"},
		{get("hello.example", "/exact/"), "Version: 1\n"},
		{get("a.wild.example", "/"), "Version: 2\n"},
		{get("a.b.wild.example", "/"), ">404 Not Found</title\n"},
		{get("hello.example", "/none"), ">503 Service Temporarily Unavailable</title\n"},
		{get("nobody.example", "/"), ">404 Not Found</title\n"},
		{get("nobody.example", "/who/me?x=1"), "GET /me?x=1 HTTP/1.1\n"},
		{"curl -s -o /dev/null -w '%{http_code} %{redirect_url}\n' -H 'Host: safe.example' localhost/p", "308 https://safe.example/p\n"},
		{"curl -s -H 'Host: safe.example' localhost/p | grep title", "<head><title>308 Permanent Redirect</title></head>\r\n"},
		{"curl -sk -H 'Host: safe.example' https://localhost/ | head -2 | tail -1", "Version: 1.0.0\n"},
		{"kubectl create ingress again --class=nginx --rule='hello.example/two=two:80'", "error: failed to create ingress: admission webhook \"validate.nginx.ingress.kubernetes.io\" denied the request: host \"hello.example\" and path \"/two\" is already defined in ingress default/hello\n"},
		{"kubonsai trace -H hello.example http://localhost/two | grep ingress\\ ; kubonsai trace -H hello.example http://localhost/none > /dev/null; echo $?", "ingress    default/hello, host hello.example, Prefix path /two: service two\n1\n"},
		{"kubectl scale deployment one --replicas=0; sleep 5; " + get("hello.example", "/"), "deployment.apps/one scaled\n>503 Service Temporarily Unavailable</title\n"},
		{"kubectl apply -f - <<X\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: two}\nspec: {podSelector: {matchLabels: {app: two}}}\nX\n" + get("hello.example", "/two"), "networkpolicy.networking.k8s.io/two created\n>504 Gateway Time-out</title\n"},
		{"kubectl logs -n ingress-nginx -l app.kubernetes.io/component=controller | grep -c '\"GET /two HTTP/1.1\" 504'", "1\n"},
	})
}

func TestLoadBalancer(t *testing.T) {
	runScript(t, Options{Seed: 1}, []scriptStep{
		{"kubectl create deployment web --image=nginx:1.27; kubectl expose deployment web --port=80 --type=LoadBalancer; sleep 60; kubectl get svc web -o jsonpath={.status.loadBalancer}{.metadata.finalizers}", "~ {}"},
	})
	runScript(t, Options{Seed: 1, CloudLoadBalancer: true}, []scriptStep{
		{"kubectl create deployment web --image=nginx:1.27; kubectl expose deployment web --port=80 --type=LoadBalancer; kubectl run box --image=busybox:1.36 --command -- sleep 36000; sleep 10", "-"},
		{"kubectl get svc web -o jsonpath={.status.loadBalancer}{.metadata.finalizers}", `{"ingress":[{"ip":"172.18.255.1","ipMode":"VIP"}]}["service.kubernetes.io/load-balancer-cleanup"]`},
		{"curl -s 172.18.255.1 | grep -c Welcome; kubectl exec box -- wget -qO- 172.18.255.1 | grep -c Welcome", "2\n2\n"},
		{"kubectl get events --field-selector involvedObject.name=web,involvedObject.kind=Service -o custom-columns=R:.reason,M:.message --no-headers | tr -s ' '", "EnsuringLoadBalancer Ensuring load balancer\nEnsuredLoadBalancer Ensured load balancer\n"},
		{"kubectl expose deployment web --name=classy --port=80 --type=LoadBalancer --overrides='{\"spec\":{\"loadBalancerClass\":\"example.com/x\"}}'; kubectl expose deployment web --name=bare --port=80 --type=LoadBalancer --overrides='{\"spec\":{\"allocateLoadBalancerNodePorts\":false}}'; sleep 5; kubectl get svc --no-headers | awk '{print $1,$4,$5}'", "~ bare 172.18.255.2 80/TCP\nclassy <pending> 80:"},
		{"kubectl patch svc web -p '{\"spec\":{\"loadBalancerSourceRanges\":[\"10.0.0.0/8\"]}}'; curl -sS -m 2 172.18.255.1; kubonsai trace 172.18.255.1 | grep sources", "service/web patched\ncurl: (28) Connection timed out after 2001 milliseconds\nsources    loadBalancerSourceRanges leave out 172.18.0.1\n"},
		{"kubectl patch svc web -p '{\"spec\":{\"type\":\"ClusterIP\",\"loadBalancerSourceRanges\":null}}'; sleep 3; kubectl get svc web -o jsonpath={.status.loadBalancer}{.metadata.finalizers}", "service/web patched\n{}"},
		{"kubectl delete svc bare; kubectl get events | grep -c DeletedLoadBalancer", "service \"bare\" deleted from default namespace\n2\n"},
	})
}

// Switches that other commands turn: minikube tunnel, minikube addons enable ingress.
func TestSwitches(t *testing.T) {
	c, err := New(Options{Seed: 1, ImagesPresent: true, Log: func(text string) { t.Error(text) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do(t, c, "1", "kubectl create deployment web --image=nginx:1.27; kubectl expose deployment web --port=80 --type=LoadBalancer; sleep 5")
	const ip = "kubectl get svc web -o jsonpath={.status.loadBalancer.ingress[0].ip}"
	if got := do(t, c, "1", ip); got != "" {
		t.Error("an address without a cloud: ", got)
	}
	c.Current().SwitchLoadBalancer(true)
	if got := do(t, c, "1", "sleep 5; "+ip); got != "172.18.255.1" {
		t.Error(got)
	}
	for range 2 {
		if err := c.Current().SwitchIngress(true); err != nil {
			t.Fatal(err)
		}
	}
	do(t, c, "1", "kubectl wait -n ingress-nginx --for=condition=ready pod -l app.kubernetes.io/component=controller --timeout=90s; kubectl create ingress web --class=nginx --rule='web.example/*=web:80'; sleep 15")
	for line, want := range map[string]string{
		"kubectl get ingress web -o jsonpath={.status.loadBalancer.ingress[0].ip}":          "172.18.0.2",
		"curl -s --resolve web.example:80:172.18.0.2 http://web.example/ | grep -c Welcome": "2\n",
	} {
		if got := do(t, c, "1", line); got != want {
			t.Errorf("$ %s: %q, want %q", line, got, want)
		}
	}
	for range 2 {
		if err := c.Current().SwitchIngress(false); err != nil {
			t.Fatal(err)
		}
	}
	if got := do(t, c, "1", "sleep 60; kubectl get ns ingress-nginx; curl -sS localhost"); !strings.Contains(got, "not found") || !strings.Contains(got, "curl: (7)") {
		t.Error(got)
	}
}

// Connections by hand: what is no HTTP goes between containers, and through
// forwarded ports, as it is written.
func TestRawConnections(t *testing.T) {
	c, err := New(Options{Seed: 1, ImagesPresent: true, Log: func(text string) { t.Error(text) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do(t, c, "1", "kubectl run redis --image=redis >/dev/null; kubectl run web --image=nginx >/dev/null; kubectl run box --image=busybox -- sleep 36000 >/dev/null; sleep 20")
	for _, x := range []struct{ line, want string }{
		{`box> sh -c "(echo SET a 1; sleep 1; echo GET a) | nc @redis 6379"`, "+OK\r\n$1\r\n1\r\n"},
		{`box> sh -c "printf 'GET /no HTTP/1.0\r\n\r\n' | nc @web 80 | head -1"`, "HTTP/1.1 404 Not Found\r\n"},
		{`box> sh -c "echo hello | telnet @web 80 | head -2"`, "Connected to @web\nHTTP/1.1 400 Bad Request\r\n"},
		{`box> telnet @web 81`, "telnet: can't connect to remote host (@web): Connection refused\ncommand terminated with exit code 1\n"},
		{`box> nc @web 70000`, "nc: port number invalid: 70000\ncommand terminated with exit code 1\n"},
		{"kubectl port-forward pod/redis 7000:6379 >/dev/null & sleep 1; printf 'PING\\r\\nGET a\\r\\n' | nc localhost 7000; kill $!", "+PONG\r\n$1\r\n1\r\n"},
		{"telnet localhost 7001", "Trying 127.0.0.1...\ntelnet: Unable to connect to remote host: Connection refused\n"},
		{`box> sh -c "echo yes | nc -l -p 9000" & sleep 1; web> bash -c 'exec true'; kubectl run client --image=busybox --restart=Never -- sh -c "echo hi | nc @box 9000" >/dev/null; sleep 5; kubectl logs client`, "hi\nyes\n"},
		{`box> sh -c 'while true; do printf "HTTP/1.1 200 OK\r\n\r\nhello" | nc -l -p 8080 >/dev/null; done' & sleep 1; web> curl -s @box:8080; web> curl -s @box:8080; kill $!`, "hellohello"},
		{`box> nc -lk -p 8081 -e echo again & sleep 1; box> sh -c "echo 1 | nc localhost 8081; echo 2 | nc localhost 8081"; kill $!`, "again\nagain\n"},
		{"nc -l 70000; nc -l; nc -l 8090 & nc -l 8090; echo yo | nc localhost 8090", "nc: port number invalid: 70000\nusage: nc [-46hklnuvz] [-w timeout] [destination] [port]\nnc: Address already in use\nyo\n"},
	} {
		line, want := x.line, x.want
		for _, p := range []string{"redis", "web", "box"} {
			line = strings.ReplaceAll(line, p+"> ", "kubectl exec "+p+" -- ")
			if strings.Contains(line, "@"+p) {
				ip := do(t, c, "1", "kubectl get pod "+p+" -o jsonpath='{.status.podIP}'")
				line, want = strings.ReplaceAll(line, "@"+p, ip), strings.ReplaceAll(want, "@"+p, ip)
			}
		}
		if got := do(t, c, "1", line); got != want {
			t.Errorf("$ %s\n got %q\nwant %q", line, got, want)
		}
	}
}

// What machines say of their network and files.
func TestMachineTools(t *testing.T) {
	c, err := New(Options{Seed: 1, ImagesPresent: true, Log: func(text string) { t.Error(text) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do(t, c, "1", "kubectl run web --image=nginx >/dev/null; kubectl run box --image=busybox -- httpd -f -p 8000 >/dev/null; kubectl run shoot --image=nicolaka/netshoot -- sleep 3600 >/dev/null; sleep 20; mkdir -p d/e; touch d/e/f d/g d/.h")
	for _, x := range []struct{ line, want string }{
		{"kubectl exec box -- ip -4 addr show eth0 | grep inet", "    inet 10.244.0.4/24 brd 10.244.0.255 scope global eth0\n"},
		{"kubectl exec box -- ip route | head -1; kubectl exec box -- route -n | tail -1", "default via 10.244.0.1 dev eth0 \n10.244.0.1      0.0.0.0         255.255.255.255 UH    0      0        0 eth0\n"},
		{"kubectl exec shoot -- ip -br a; ip -br a", "lo               UNKNOWN        127.0.0.1/8 ::1/128 \neth0             UP             10.244.0.5/24 \nlo               UNKNOWN        127.0.0.1/8 ::1/128 \neth0             UP             172.18.0.1/16 \n"},
		{"kubectl exec box -- ifconfig eth0 | grep inet", "          inet addr:10.244.0.4  Bcast:10.244.0.255  Mask:255.255.255.0\n"},
		{"ip nope; ip link add x; ip addr show eth9; ip -z", "Object \"nope\" is unknown, try \"ip help\".\nRTNETLINK answers: Operation not permitted\nDevice \"eth9\" does not exist.\nOption \"-z\" is unknown, try \"ip -help\".\n"},
		{"nc -l 7777 & ss -tlnH; netstat -tln | tail -1; kill $!", "LISTEN 0      511        127.0.0.1:6443      0.0.0.0:*          \nLISTEN 0      511          0.0.0.0:7777      0.0.0.0:*          \ntcp        0      0 0.0.0.0:7777            0.0.0.0:*               LISTEN      \n"},
		{"kubectl exec box -- mount | tail -1; mount /dev/sda /mnt", "tmpfs on /var/run/secrets/kubernetes.io/serviceaccount type tmpfs (ro,relatime)\nmount: must be superuser to use mount.\n"},
		{"tree d; tree -aiL 1 --noreport d; tree nope; tree -L 0", "d\n├── e\n│\u00a0\u00a0 └── f\n└── g\n\n2 directories, 2 files\nd\n.h\ne\ng\nnope  [error opening dir]\n\n0 directories, 0 files\ntree: Invalid level, must be greater than 0.\n"},
	} {
		if got := do(t, c, "1", x.line); got != x.want {
			t.Errorf("$ %s\n got %q\nwant %q", x.line, got, x.want)
		}
	}
}

// Corners of Services: published ports of another cluster, hints, and what load
// balancers ask nodes.
func TestServiceCorners(t *testing.T) {
	c, err := New(Options{Seed: 1, ImagesPresent: true, Log: func(text string) { t.Error(text) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do(t, c, "1", `printf 'kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: two\nnodes:\n- role: control-plane\n  extraPortMappings: [{containerPort: 30080, hostPort: 8088}]\n- role: worker\n- role: worker\n' > two.yaml
kind create cluster --config two.yaml --wait 5m 2>/dev/null; sleep 60
kubectl label node two-worker topology.kubernetes.io/zone=a; kubectl label node two-worker2 topology.kubernetes.io/zone=b
kubectl create deployment web --image=nginx --replicas=2; sleep 20
kubectl create service nodeport web --tcp=80 --node-port=30080
kubectl expose deployment web --name=lb --type=LoadBalancer --port=80; kubectl patch svc lb -p '{"spec":{"externalTrafficPolicy":"Local"}}'
for n in a b; do kubectl run $n --image=curlimages/curl --overrides='{"spec":{"nodeSelector":{"topology.kubernetes.io/zone":"'$n'"}}}' --command -- sleep 9999; done; sleep 20`)
	for _, x := range []struct{ line, want string }{
		{"curl -s -o /dev/null -w '%{http_code}\n' localhost:8088; kubonsai trace localhost:8088 | sed -n '2,3p;$p'", "200\npublished  port 8088 of this machine is 30080 of node two-control-plane\nservice    default/web (NodePort), by its nodePort 30080 on node two-control-plane\nresult     connects\n"},
		{"kubectl config use-context kind-kind >/dev/null; kubonsai trace localhost:8088 | sed -n '2p;$p'; kubectl config use-context kind-two >/dev/null", "published  port 8088 of this machine is 30080 of node two-control-plane\nresult     connects\n"},
		{"kubonsai trace --from a http://web | grep -c hints; kubectl get endpointslices -o yaml | grep -c forZones", "0\n0\n"},
		{`kubectl patch svc web -p '{"spec":{"trafficDistribution":"PreferSameZone"}}'; sleep 5; kubectl get endpointslices -l kubernetes.io/service-name=web -o jsonpath='{range .items[*].endpoints[*]}{.hints.forZones[0].name}{"\n"}{end}' | sort`, "service/web patched\na\nb\n"},
		{"kubonsai trace --from a http://web | sed -nE 's/^ +([0-9.:]+) pod .*( on .*)/\\1\\2/; /hints|on two/p'", "hints      1 of 2 endpoints are meant for zone a\n10.244.1.2:80 on two-worker\n"},
		{"for i in 1 2 3 4 5 6; do kubectl exec b -- curl -s -o /dev/null web; done; for p in $(kubectl get pods -l app=web -o jsonpath='{range .items[*]}{.spec.nodeName}/{.metadata.name} {end}'); do echo ${p%/*} $(kubectl logs ${p#*/} | grep -c '\"curl'); done | sort", "two-worker 1\ntwo-worker2 6\n"},
		{`kubectl patch svc web -p '{"spec":{"trafficDistribution":"PreferSameNode"}}'; sleep 5; kubonsai trace --from a http://web | grep hints`, "service/web patched\nhints      1 of 2 endpoints are meant for node two-worker\n"},
		{"kubectl scale deployment web --replicas=1 >/dev/null; sleep 20; P=$(kubectl get svc lb -o jsonpath='{.spec.healthCheckNodePort}'); for n in 2 3 4; do curl -s -o /dev/null -w '%{http_code}\n' 172.18.0.$((n+1)):$P; done | sort | uniq -c | tr -s ' '; curl -s 172.18.0.4:$P | grep -v ndpoints; curl -s 172.18.0.3:$((P+1)) || echo $?", " 1 200\n 2 503\n{\n\t\"service\": {\n\t\t\"namespace\": \"default\",\n\t\t\"name\": \"lb\"\n\t},\n\t\"serviceProxyHealthy\": true\n}\n7\n"},
	} {
		if got := do(t, c, "1", x.line); got != x.want {
			t.Errorf("$ %s\n got %q\nwant %q", x.line, got, x.want)
		}
	}
}

// A Service of type ExternalName behind an ingress is looked up by its name.
func TestIngressExternalName(t *testing.T) {
	c, err := New(Options{Seed: 1, ImagesPresent: true, Log: func(text string) { t.Error(text) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do(t, c, "1", `kubectl apply -f https://kind.sigs.k8s.io/examples/ingress/deploy-ingress-nginx.yaml; kubectl create deployment web --image=nginx; kubectl expose deployment web --port=80
kubectl create service externalname ext --external-name=web.default.svc.cluster.local --tcp=80:80; sleep 60; kubectl create ingress i --rule="ext.example/*=ext:80" --class=nginx; sleep 10`)
	const curl = "curl -s -o /dev/null -w '%{http_code}\n' -H 'Host: ext.example' localhost"
	if got := do(t, c, "1", curl+"; kubonsai trace -H ext.example localhost | grep ingress.*ext; kubectl patch svc ext -p '{\"spec\":{\"externalName\":\"nowhere.example\"}}'; sleep 3; "+curl); got != "200\ningress    default/i, host ext.example, Prefix path /: service ext\nservice/ext patched\n503\n" {
		t.Errorf("%q", got)
	}
}
