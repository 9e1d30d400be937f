// What the build puts beside the scripts: wasm_exec.js of the Go release, and the modules.
declare module 'wasm_exec'
declare module '*.wasm' {
  const module: WebAssembly.Module
  export default module
}
