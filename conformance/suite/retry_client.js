// Calls one RPC with grpc-js and a service config, and prints the code of the status.
//
//   node retry_client.js ADDRESS PATH REQUEST_IN_HEXADECIMAL SERVICE_CONFIG
const grpc = require("@grpc/grpc-js");

const [address, path, request, serviceConfig] = process.argv.slice(2);
const client = new grpc.Client(address, grpc.credentials.createInsecure(), { "grpc.service_config": serviceConfig });
const bytes = (value) => value;
const deadline = new Date(Date.now() + 60_000);
client.makeUnaryRequest(path, bytes, bytes, Buffer.from(request, "hex"), new grpc.Metadata(), { deadline }, (error) => {
  console.log(error === null ? "OK" : grpc.status[error.code]);
  client.close();
});
