"""A server's services, obtained over gRPC server reflection v1, so that calls need no generated code."""

from collections.abc import Iterator

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor
from grpc_reflection.v1alpha import reflection_pb2 as v1alpha

RESPONSE_TIMEOUT_SECONDS = 10
Metadata = tuple[tuple[str, str], ...]


def bearer(token: str) -> Metadata:
    """The metadata of a call with this token."""
    return (("authorization", f"Bearer {token}"),)


def _v1_messages() -> dict[str, type]:
    """The messages of reflection v1: those of v1alpha, which grpcio ships, in the package `grpc.reflection.v1`."""
    file = descriptor_pb2.FileDescriptorProto()
    v1alpha.DESCRIPTOR.CopyToProto(file)
    file.name = "grpc/reflection/v1/reflection.proto"
    file.package = "grpc.reflection.v1"
    for message in file.message_type:
        for field in message.field:
            if field.HasField("type_name"):
                field.type_name = field.type_name.replace(".v1alpha.", ".v1.")
    for service in file.service:
        for method in service.method:
            method.input_type = method.input_type.replace(".v1alpha.", ".v1.")
            method.output_type = method.output_type.replace(".v1alpha.", ".v1.")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"grpc.reflection.v1.{name}"))
        for name in ("ServerReflectionRequest", "ServerReflectionResponse")
    }


V1 = _v1_messages()


class Reflection:
    """The services and messages that a server describes, in a descriptor pool."""

    def __init__(self, channel: grpc.Channel, metadata: Metadata = ()) -> None:
        self._metadata = metadata
        self._exchange = channel.stream_stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            request_serializer=V1["ServerReflectionRequest"].SerializeToString,
            response_deserializer=V1["ServerReflectionResponse"].FromString,
        )
        self._pool = descriptor_pool.DescriptorPool()
        self._files: set[str] = set()

    def services(self) -> list[str]:
        """The full names of all services that the server lists."""
        response = self._request(list_services="")
        return sorted(service.name for service in response.list_services_response.service)

    def methods(self, service: str) -> list[MethodDescriptor]:
        """The methods of a service."""
        try:
            descriptor = self._pool.FindServiceByName(service)
        except KeyError:
            self._load(file_containing_symbol=service)
            descriptor = self._pool.FindServiceByName(service)
        return list(descriptor.methods)

    def message(self, name: str) -> type:
        """The class of a message, by its full name."""
        try:
            descriptor = self._pool.FindMessageTypeByName(name)
        except KeyError:
            self._load(file_containing_symbol=name)
            descriptor = self._pool.FindMessageTypeByName(name)
        return message_factory.GetMessageClass(descriptor)

    def _load(self, **lookup: str) -> None:
        """Adds the file that a lookup finds and, before it, every file that it imports."""
        for file in self._files_for(**lookup):
            if file.name in self._files:
                continue
            self._files.add(file.name)
            for dependency in file.dependency:
                if dependency not in self._files:
                    self._load(file_by_filename=dependency)
            self._pool.Add(file)

    def _files_for(self, **lookup: str) -> list[descriptor_pb2.FileDescriptorProto]:
        response = self._request(**lookup)
        if response.HasField("error_response"):
            raise LookupError(f"reflection has no {lookup}: {response.error_response.error_message}")
        return [
            descriptor_pb2.FileDescriptorProto.FromString(data)
            for data in response.file_descriptor_response.file_descriptor_proto
        ]

    def _request(self, **lookup: str) -> object:
        def requests() -> Iterator[object]:
            yield V1["ServerReflectionRequest"](**lookup)

        responses = list(self._exchange(requests(), timeout=RESPONSE_TIMEOUT_SECONDS, metadata=self._metadata))
        assert len(responses) == 1, f"one request, {len(responses)} responses"
        return responses[0]
