# What readers do every day, for observe.mjs: a command is here because the first
# part of the program should know it, one block after the other.

kubectl version
kubectl cluster-info
kubectl get nodes -o wide

cat > pod.yaml <<'EOF'
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web}
spec:
  containers:
  - name: nginx
    image: nginx:1.27
    ports:
    - containerPort: 80
    readinessProbe:
      httpGet: {path: /, port: 80}
EOF
kubectl apply -f pod.yaml

kubectl get pods
kubectl get pods -w

kubectl describe pod web
kubectl logs web
kubectl get pod web -o yaml
kubectl exec web -- sh -c 'hostname; ls /; env | sort | head -3'
kubectl exec -it web -- cat /etc/os-release
kubectl port-forward pod/web 8080:80 &
sleep 1; curl -s localhost:8080; kill %1
kubectl label pod web tier=front
kubectl delete pod web

kubectl create deployment hello --image=nginx:1.27 --replicas=3
kubectl rollout status deployment/hello
kubectl get deployment,rs,pods --show-labels
kubectl scale deployment/hello --replicas=5
kubectl set image deployment/hello nginx=nginx:1.28
kubectl rollout status deployment/hello
kubectl rollout history deployment/hello
kubectl rollout undo deployment/hello
kubectl describe deployment hello
kubectl get pods -l app=hello -o wide --sort-by=.metadata.name
kubectl logs deployment/hello --tail=5 | tail -1
kubectl get pods --no-headers | awk '{print $3}' | sort | uniq -c
kubectl get pods | grep -v Running | head -2 | wc -l
kubectl get deployment hello -o yaml > hello.yaml; sed 's/1.28/1.29/' hello.yaml | kubectl apply -f -; ls; cat hello.yaml | head -3; rm hello.yaml
kubectl get pods -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName
kubectl delete pod -l app=hello --wait=false
kubectl rollout restart deployment/hello
kubectl patch deployment hello -p '{"spec":{"replicas":2}}'
kubectl annotate deployment hello note=kept
kubectl set env deployment/hello A=b
kubectl get pods -o jsonpath='{.items[*].metadata.name}'; echo

kubectl expose deployment hello --port=80
kubectl get svc,endpointslices
kubectl describe svc hello
kubectl run curl --image=curlimages/curl:8.10.1 --rm -it --restart=Never -- curl -s hello
for i in 1 2 3; do echo "$i: $(kubectl get pods --no-headers | wc -l)"; sleep 1; done

# Readers write in their own language: ポッドの数、バージョン
echo "ポッドは $(kubectl get pods --no-headers | wc -l) 個です — ’ok’"
kubectl annotate deployment hello --overwrite note='最初の'
kubectl get deployment hello -o jsonpath='{.metadata.annotations.note}' | grep 最初; kubectl get deployment hello -o yaml | grep note

kubectl create configmap settings --from-literal=color=blue
kubectl create secret generic password --from-literal=word=secret
kubectl get cm settings -o yaml
kubectl create job once --image=busybox:1.37 -- echo done
kubectl wait --for=condition=complete job/once --timeout=60s
kubectl logs job/once

cat <<'EOF' | kubectl apply -f -
apiVersion: v1
kind: Pod
metadata:
  name: broken
spec:
  containers:
  - name: a
    image: nginx:no-such-tag
  - name: b
    image: busybox:1.37
    command: [sh, -c, 'echo hello $WORD; exit 1']
    env:
    - name: WORD
      valueFrom: {configMapKeyRef: {name: settings, key: color}}
    volumeMounts:
    - {name: v, mountPath: /etc/settings}
  volumes:
  - name: v
    configMap: {name: settings}
EOF
sleep 30
kubectl get pods broken
kubectl describe pod broken
kubectl logs broken -c b --previous
kubectl delete pod broken --force --grace-period=0

kubectl get events --sort-by=.lastTimestamp
kubectl get all -A
kubectl explain pod.spec.containers
kubectl api-resources
kubectl create namespace other
kubectl get namespaces
kubectl describe namespace other
kubectl get serviceaccounts,configmaps,secrets -n other
kubectl run web --image=nginx:1.27 -n other
kubectl config set-context --current --namespace=other
kubectl get pods,services,jobs
kubectl config set-context --current --namespace=default
kubectl get daemonsets,statefulsets,cronjobs,ingress,pvc,pv,storageclass -A
kubectl delete namespace other

kubectl get pod nothing
kubectl get nothing
kubectl apply -f nothing.yaml
printf 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: Bad_Name\n' | kubectl apply -f -

kubectl delete deployment,svc,cm,secret,job --all
