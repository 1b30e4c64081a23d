"""Tags, covers and chapters as mutagen, a reader that shares no code with the product, sees them.

tags.py write FILE COVER...  gives FILE the tags of TAGS, these covers and three chapters
tags.py read FILE            prints what is in FILE as JSON
"""

import base64
import hashlib
import json
import subprocess
import sys

import mutagen
from mutagen import apev2, flac, id3, mp4, wave, aiff

TAGS = {
    "title": "Тест ünï 音",
    "artist": ["First", "Second"],
    "album": "An album",
    "album_artist": "The band",
    "track": "3/12",
    "disc": "1/2",
    "date": "2021-05-04",
    "genre": "Jazz",
    "comment": "A comment",
    "lyrics": "line one\nline two",
    "isrc": "USX9P0515551",
    "release_id": "b7ffd2af-418f-4be2-bdd1-22f8b48613da",
    "own": "anything",
}
CHAPTERS = [(0, 1000, "Eins ü"), (1000, 2000, "Zwei"), (2000, 3000, "Drei")]
VORBIS = {
    "title": "TITLE", "artist": "ARTIST", "album": "ALBUM", "album_artist": "ALBUMARTIST",
    "date": "DATE", "genre": "GENRE", "comment": "COMMENT", "lyrics": "LYRICS", "isrc": "ISRC",
    "release_id": "MUSICBRAINZ_ALBUMID", "own": "MY_OWN",
}
APE = {**VORBIS, "title": "Title", "artist": "Artist", "album": "Album", "album_artist": "Album Artist",
       "date": "Year", "genre": "Genre", "comment": "Comment", "lyrics": "Lyrics", "track": "Track", "disc": "Disc"}
FREEFORM = "----:com.apple.iTunes:"
MP4 = {
    "title": "\xa9nam", "artist": "\xa9ART", "album": "\xa9alb", "album_artist": "aART",
    "date": "\xa9day", "genre": "\xa9gen", "comment": "\xa9cmt", "lyrics": "\xa9lyr",
    "isrc": FREEFORM + "ISRC", "release_id": FREEFORM + "MusicBrainz Album Id", "own": FREEFORM + "MY_OWN",
}
ID3 = {
    "title": "TIT2", "artist": "TPE1", "album": "TALB", "album_artist": "TPE2", "track": "TRCK",
    "disc": "TPOS", "date": "TDRC", "genre": "TCON", "isrc": "TSRC",
    "release_id": "TXXX:MusicBrainz Album Id", "own": "TXXX:MY_OWN",
}
MATROSKA = {**{name: name for name in TAGS}, "isrc": "ISRC", "release_id": "MUSICBRAINZ_ALBUMID", "own": "MY_OWN"}


def mime(cover):
    return "image/png" if cover.startswith(b"\x89PNG") else "image/jpeg"


def picture(number, cover):
    block = flac.Picture()
    block.type, block.mime, block.desc, block.data = (3, 4)[number], mime(cover), "", cover
    return block


def write_id3(tags, covers):
    for name, key in ID3.items():
        if key.startswith("TXXX:"):
            tags.add(id3.TXXX(encoding=3, desc=key[5:], text=TAGS[name]))
        else:
            tags.add(getattr(id3, key)(encoding=3, text=TAGS[name]))
    tags.add(id3.COMM(encoding=3, lang="eng", desc="", text=TAGS["comment"]))
    tags.add(id3.USLT(encoding=3, lang="eng", desc="", text=TAGS["lyrics"]))
    for number, cover in enumerate(covers):
        tags.add(id3.APIC(encoding=3, mime=mime(cover), type=(3, 4)[number], desc=str(number), data=cover))
    names = [f"c{number}" for number in range(len(CHAPTERS))]
    tags.add(id3.CTOC(element_id="toc", flags=3, child_element_ids=names, sub_frames=[]))
    for name, (start, end, title) in zip(names, CHAPTERS):
        frame = id3.TIT2(encoding=3, text=title)
        tags.add(id3.CHAP(element_id=name, start_time=start, end_time=end, sub_frames=[frame]))


def write(path, covers):
    ending = path.rsplit(".", 1)[1]
    if ending in ("mp3", "aac"):
        tags = id3.ID3()
        write_id3(tags, covers)
        tags.save(path)
        return
    file = {"wav": wave.WAVE, "aiff": aiff.AIFF}.get(ending, mutagen.File)(path)
    if ending in ("wav", "aiff"):
        file.add_tags()
        write_id3(file.tags, covers)
    elif ending in ("flac", "ogg", "opus"):
        for name, key in VORBIS.items():
            file[key] = TAGS[name]
        file["TRACKNUMBER"], file["TRACKTOTAL"] = TAGS["track"].split("/")
        file["DISCNUMBER"], file["DISCTOTAL"] = TAGS["disc"].split("/")
        for number, (start, _, title) in enumerate(CHAPTERS):
            file[f"CHAPTER{number:03}"] = f"00:00:{start // 1000:02}.000"
            file[f"CHAPTER{number:03}NAME"] = title
        blocks = [picture(number, cover) for number, cover in enumerate(covers)]
        if ending == "flac":
            for block in blocks:
                file.add_picture(block)
        else:
            file["METADATA_BLOCK_PICTURE"] = [base64.b64encode(block.write()).decode() for block in blocks]
    elif ending in ("m4a", "m4b"):
        for name, key in MP4.items():
            file[key] = TAGS[name].encode() if key.startswith(FREEFORM) else TAGS[name]
        file["trkn"], file["disk"] = [(3, 12)], [(1, 2)]
        kinds = {"image/png": mp4.MP4Cover.FORMAT_PNG, "image/jpeg": mp4.MP4Cover.FORMAT_JPEG}
        file["covr"] = [mp4.MP4Cover(cover, kinds[mime(cover)]) for cover in covers]
    else:
        tags = apev2.APEv2()
        for name, key in APE.items():
            tags[key] = TAGS[name]
        for key, cover in zip(("Cover Art (Front)", "Cover Art (Back)"), covers):
            ending = mime(cover).split("/")[1]
            tags[key] = apev2.APEValue(f"cover.{ending}".encode() + b"\0" + cover, apev2.BINARY)
        tags.save(path)
        return
    file.save()


def sums(covers):
    return sorted(hashlib.sha256(cover).hexdigest() for cover in covers)


def probed(path):
    command = ["ffprobe", "-v", "error", "-show_chapters", "-show_streams", "-show_format", "-of", "json", path]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def chapters_of(probe):
    return [[round(float(one["start_time"]) * 1000), one.get("tags", {}).get("title")] for one in probe["chapters"]]


def read_id3(tags):
    found = {name: [str(text) for text in tags[key].text] for name, key in ID3.items() if key in tags}
    found["comment"] = [str(text) for frame in tags.getall("COMM") if not frame.desc for text in frame.text]
    found["lyrics"] = [frame.text for frame in tags.getall("USLT")]
    chapters = sorted(tags.getall("CHAP"), key=lambda frame: frame.start_time)
    chapters = [[frame.start_time, str(frame.sub_frames["TIT2"])] for frame in chapters]
    return found, [frame.data for frame in tags.getall("APIC")], chapters


def read_matroska(path):
    probe = probed(path)
    tags = {key.lower(): text for key, text in probe["format"].get("tags", {}).items()}
    found = {name: [tags[key.lower()]] for name, key in MATROSKA.items() if key.lower() in tags}
    covers = []
    for stream in probe["streams"]:
        if stream["disposition"]["attached_pic"]:
            command = ["ffmpeg", "-v", "error", "-i", path, "-map", f"0:{stream['index']}", "-c", "copy", "-f", "data", "-"]
            covers.append(subprocess.run(command, capture_output=True, check=True).stdout)
    return found, covers, chapters_of(probe)


def read(path):
    ending = path.rsplit(".", 1)[1]
    if ending in ("mka", "webm"):
        return read_matroska(path)
    if ending == "ac3":
        return {}, [], []
    if ending in ("mp3", "aac"):
        return read_id3(id3.ID3(path))
    if ending in ("wav", "aiff"):
        return read_id3({"wav": wave.WAVE, "aiff": aiff.AIFF}[ending](path).tags)
    if ending in ("wv", "tta"):
        tags = apev2.APEv2(path)
        found = {name: list(tags[key]) for name, key in APE.items() if key in tags}
        covers = [bytes(value.value).split(b"\0", 1)[1] for key, value in tags.items() if key.startswith("Cover Art")]
        return found, covers, []
    file = mutagen.File(path)
    if ending in ("m4a", "m4b"):
        found = {}
        for name, key in MP4.items():
            if key in file:
                found[name] = [bytes(text).decode() if key.startswith(FREEFORM) else text for text in file[key]]
        for name, key in (("track", "trkn"), ("disc", "disk")):
            if key in file:
                found[name] = ["/".join(str(number) for number in file[key][0])]
        covers = [bytes(cover) for cover in file.get("covr", [])]
        return found, covers, chapters_of(probed(path))
    found = {name: file[key] for name, key in VORBIS.items() if key in file}
    for name, number, total in (("track", "TRACKNUMBER", "TRACKTOTAL"), ("disc", "DISCNUMBER", "DISCTOTAL")):
        if number in file:
            found[name] = ["/".join(file[key][0] for key in (number, total) if key in file)]
    if ending == "flac":
        covers = [block.data for block in file.pictures]
    else:
        blocks = file.get("METADATA_BLOCK_PICTURE", [])
        covers = [flac.Picture(base64.b64decode(block)).data for block in blocks]
    chapters = []
    while f"CHAPTER{len(chapters):03}" in file:
        key = f"CHAPTER{len(chapters):03}"
        hours, minutes, seconds = file[key][0].split(":")
        start = (int(hours) * 60 + int(minutes)) * 60 + float(seconds)
        chapters.append([round(start * 1000), file[key + "NAME"][0]])
    return found, covers, chapters


if sys.argv[1] == "write":
    write(sys.argv[2], [open(cover, "rb").read() for cover in sys.argv[3:]])
else:
    found, covers, chapters = read(sys.argv[2])
    print(json.dumps({"tags": found, "covers": sums(covers), "chapters": chapters}))
