"""A wire to a broker that takes some milliseconds, as a network does."""
import asyncio
import threading


class SlowWire:
    """Listens at one port of 127.0.0.1, hands everything on to another, later; ends with `with`.

    librdkafka takes an error of the handshake for one of the connection when the broker's answer is
    there before its first call of OpenSSL returns; and when it leaves a group and joins it again, the
    answer to the first may come before it is ready. Both only happen without a network.
    """

    def __init__(self, port: int, target: int, seconds: float = 0.01):
        self.port, self.target, self.seconds = port, target, seconds
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> "SlowWire":
        self.thread.start()
        server = asyncio.start_server(self.serve, "127.0.0.1", self.port)
        asyncio.run_coroutine_threadsafe(server, self.loop).result(10)
        return self

    def __exit__(self, *_) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    async def serve(self, reader, writer) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self.carry(reader, far_writer), self.carry(far_reader, writer))

    async def carry(self, reader, writer) -> None:
        try:
            while data := await reader.read(65536):
                await asyncio.sleep(self.seconds)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
