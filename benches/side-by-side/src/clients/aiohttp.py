"""The Python program that fetch-all replaces: a semaphore, a pool of twice its size, one task per URL."""

import asyncio
import sys

import aiohttp


async def main() -> None:
    size, concurrency, failures = map(int, sys.argv[1:])
    failed = 0
    urls = [line.strip() for line in sys.stdin]
    semaphore = asyncio.Semaphore(concurrency)
    connector = aiohttp.TCPConnector(limit=2 * concurrency, ttl_dns_cache=300)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def fetch(url: str) -> None:
            nonlocal failed
            # The server has a self-signed certificate.
            async with semaphore, session.get(url, ssl=False) as response:
                body = await response.read()
                if response.status == 503:
                    failed += 1
                elif response.status != 200 or len(body) != size:
                    sys.exit(f"{url}: {response.status}, {len(body)} bytes")

        await asyncio.gather(*(fetch(url) for url in urls))
    if failed != failures:
        sys.exit(f"{failed} failures instead of {failures}")
    print(len(urls))


asyncio.run(main())
