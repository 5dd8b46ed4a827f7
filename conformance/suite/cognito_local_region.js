// Gives cognito-local's pools a Region that AWS could have. Its own is "local", which mfagate refuses in a pool id.
const fs = require("node:fs");
const Module = require("node:module");

const load = Module._extensions[".js"];
Module._extensions[".js"] = (module, file) => {
  if (!file.endsWith("/targets/createUserPool.js")) {
    return load(module, file);
  }
  const source = fs.readFileSync(file, "utf8");
  const renamed = source.replace('const REGION = "local";', 'const REGION = "us-local-1";');
  if (renamed === source) {
    throw new Error("cognito-local names its Region in another way");
  }
  module._compile(renamed, file);
};
