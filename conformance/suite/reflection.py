"""Learns a server's services over gRPC server reflection v1, so that calls need no generated code."""

from collections.abc import Iterator

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor
from grpc_reflection.v1alpha import reflection_pb2 as v1alpha

ANSWER_WITHIN_SECONDS = 10
Metadata = tuple[tuple[str, str], ...]


def bearer(token: str) -> Metadata:
    """What a call with this token carries."""
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
    """What a server says about itself, kept in a descriptor pool."""

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
        answer = self._ask(list_services="")
        return sorted(service.name for service in answer.list_services_response.service)

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

    def _load(self, **question: str) -> None:
        """Adds the file that answers a question and, first, every file that it imports."""
        for file in self._asked_files(**question):
            if file.name in self._files:
                continue
            self._files.add(file.name)
            for dependency in file.dependency:
                if dependency not in self._files:
                    self._load(file_by_filename=dependency)
            self._pool.Add(file)

    def _asked_files(self, **question: str) -> list[descriptor_pb2.FileDescriptorProto]:
        answer = self._ask(**question)
        if answer.HasField("error_response"):
            raise LookupError(f"reflection knows no {question}: {answer.error_response.error_message}")
        return [
            descriptor_pb2.FileDescriptorProto.FromString(data)
            for data in answer.file_descriptor_response.file_descriptor_proto
        ]

    def _ask(self, **question: str) -> object:
        def requests() -> Iterator[object]:
            yield V1["ServerReflectionRequest"](**question)

        answers = list(self._exchange(requests(), timeout=ANSWER_WITHIN_SECONDS, metadata=self._metadata))
        assert len(answers) == 1, f"one question, {len(answers)} answers"
        return answers[0]
