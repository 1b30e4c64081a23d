"""Where a converted file says otherwise than its source, by mutagen; ffprobe adds what mutagen passes by.

corpus_tags.py                 reads lines SOURCE<tab>OUTPUT; answers each difference in a line:
                               number of the pair<tab>KIND<tab>NAME<tab>before<tab>after
    KIND: lost, changed, new, junk (a technical tag was carried), doubled, info (RIFF INFO is not
    what the ID3 chunk says), covers (bytes or number), cover kinds, chapters
corpus_tags.py FILE            what the file says, as JSON

Not a difference: words of the encoder, `3/12` or number and total, `03` or `3`, dates that agree as
far as both go, several values or one text of them, R128 gain or ReplayGain.
"""

import base64
import hashlib
import json
import re
import struct
import subprocess
import sys

import mutagen
from mutagen import apev2, flac, id3, mp4, wave

# One name for what containers call differently; names are compared without case and punctuation.
ALIASES = {
    "title": "tit2 inam ©nam name", "artist": "tpe1 iart ©art", "album": "talb iprd ©alb",
    "albumartist": "tpe2 aart", "track": "trck tracknumber trkn iprt itrk", "tracktotal": "totaltracks ifrm",
    "disc": "tpos discnumber disk", "disctotal": "totaldiscs", "date": "tdrc year icrd ©day",
    "genre": "tcon ignr ©gen", "comment": "comm icmt ©cmt anno", "lyrics": "uslt unsyncedlyrics ©lyr",
    "composer": "tcom ©wrt imus", "copyright": "tcop icop cprt", "description": "desc", "synopsis": "ldes tdes",
    "encodedby": "tenc ©enc itch", "grouping": "tit1 ©grp", "publisher": "tpub label organization",
    "language": "tlan ilng", "bpm": "tbpm tmpo", "isrc": "tsrc", "compilation": "tcmp cpil",
    "originaldate": "tdor originalyear", "titlesort": "tsot sonm sortname", "artistsort": "tsop soar",
    "albumsort": "tsoa soal sortalbum", "albumartistsort": "tso2 soaa sortalbumartist",
    "composersort": "tsoc soco", "conductor": "tpe3", "remixer": "tpe4 mixartist", "lyricist": "text writer author",
    "mood": "tmoo", "media": "tmed isrf", "initialkey": "tkey", "subtitle": "tit3", "originalartist": "tope",
    "rating": "popm rate", "artisturl": "woar", "location": "©xyz", "musicbrainztrackid": "musicbrainzrecordingid",
    "musicbrainzalbumtype": "releasetype", "releasecountry": "musicbrainzalbumreleasecountry",
}
NAMES = {alias: name for name, aliases in ALIASES.items() for alias in aliases.split()}
# Words of ASF; they mean nothing elsewhere, so this table is for reading ASF alone.
ASF = {
    "Description": "comment", "Author": "artist", "WM/AlbumTitle": "album", "WM/AlbumArtist": "albumartist",
    "WM/TrackNumber": "track", "WM/PartOfSet": "disc", "WM/Year": "date", "WM/Genre": "genre",
    "WM/Composer": "composer", "WM/Publisher": "publisher", "WM/EncodedBy": "encodedby", "WM/Mood": "mood",
    "WM/BeatsPerMinute": "bpm", "WM/Lyrics": "lyrics", "WM/OriginalArtist": "originalartist",
    "WM/Conductor": "conductor", "WM/ISRC": "isrc", "WM/PartOfACompilation": "compilation",
    "WM/InitialKey": "initialkey", "WM/Language": "language",
}
# What our own outputs say of their making.
OWN = re.compile(
    r"^(encoder|tsse|©too|isft|duration|stik|metadatablockpicture|chapter\d+(name|url)?|"
    r"majorbrand|minorversion|compatiblebrands|handlername|vendorid)$"
)
# What tells of the source's file or encoder, or has no common form; nobody misses it.
TECHNICAL = re.compile(
    r"^(encoder.*|encoding.*|tden|tdtg|tlen|length|tofn|©swr|software|creationtime|bps|"
    r"numberof.*|statistics.*|itunnorm|itunsmpb|itunpgap|itunes.*cddb.*|"
    r"pgap|gaplessplayback|id3v2priv.*|mp3gain.*|wmgenreid|wmfsdk.*|wmwmadrc.*|wmencod.*|isvbr|"
    r"deviceconformancetemplate|asfleakybucketpairs|wavef.*channelmask|timereference|codinghistory|umid)$"
)
# ffprobe's words for what mutagen has said already.
SAID = re.compile(r"(?i)^(wm/.*|comment|lyrics.*|.*-[a-z]{3}|tempo|rating|tcmp|tvb|.*_number|disc|track|language)$")


def short_name(name):
    return re.sub(r"[^0-9a-z©\u0080-\uffff]", "", name.lower())


def put(tags, name, value):
    value = str(value).replace("\r\n", "\n").replace("\r", "\n").strip(" \n\0")
    name = short_name(name)
    name = NAMES.get("lyrics" if re.fullmatch("lyrics[a-z]{3}", name) else name, name)
    if name in ("track", "disc") and "/" in value:
        value, total = value.split("/", 1)
        put(tags, name + "total", total)
    if name in ("track", "disc", "tracktotal", "disctotal"):
        value = value.strip().lstrip("0")
    if name == "date":
        value = value.replace("T", " ")
    if value and not OWN.match(name):
        tags.setdefault(name, []).append(value)


def cover(kind, data):
    return [int(kind), len(data), hashlib.sha256(data).hexdigest()[:16]]


def read_id3(frames, tags, covers):
    for frame in frames.values():
        kind = frame.FrameID
        if kind in ("TXXX", "WXXX"):
            for text in frame.text if kind == "TXXX" else [frame.url]:
                put(tags, frame.desc, text)
        elif kind == "COMM":
            name = "comment" if frame.desc in ("", "ID3v1 Comment") else frame.desc
            for text in frame.text:
                put(tags, name, text)
        elif kind == "USLT":
            put(tags, "lyrics", frame.text)
        elif kind == "UFID":
            # Beside it stands a TXXX frame of the same text.
            tags.setdefault("musicbrainztrackid", [frame.data.decode("latin-1")])
        elif kind == "TCON":
            for text in frame.genres:
                put(tags, "genre", text)
        elif kind in ("TIPL", "TMCL"):
            for role, who in frame.people:
                put(tags, role, who)
        elif kind == "POPM":
            put(tags, "rating", frame.rating)
        elif kind == "APIC":
            covers.append(cover(frame.type, frame.data))
        elif kind[0] in "TW":
            for text in getattr(frame, "text", None) or [frame.url]:
                put(tags, kind, text)
    if "musicbrainztrackid" in tags:
        tags["musicbrainztrackid"] = tags["musicbrainztrackid"][:1]


KINDS = (
    "Other|Icon|Other Icon|Front|Back|Leaflet|Media|Lead Artist|Artist|Conductor|Band|Composer|Lyricist|"
    "Recording Location|During Recording|During Performance|Video Capture|Fish|Illustration|Band Logotype|"
    "Publisher Logotype"
).split("|")


def read_ape(frames, tags, covers):
    for key, value in frames.items():
        if value.kind == apev2.BINARY and key.lower().startswith("cover art"):
            kind = key[11:-1]
            data = value.value.partition(b"\0")[2]
            covers.append(cover(KINDS.index(kind) if kind in KINDS else 0, data))
        elif value.kind != apev2.BINARY:
            for text in str(value).split("\0"):
                put(tags, key, text)


def read_mp4(frames, tags, covers):
    for key, values in frames.items():
        # Names of free atoms are UTF-8; mutagen takes them for Latin-1.
        name = key.split(":")[-1].encode("latin-1").decode("utf-8", "replace") if key.startswith("----:") else key
        if key == "covr":
            covers.extend(cover(3 if place == 0 else 0, bytes(value)) for place, value in enumerate(values))
            continue
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, tuple):
                value = "/".join(str(number) for number in value)
            elif isinstance(value, bytes):
                value = value.decode("utf-8", "replace")
            elif isinstance(value, bool):
                value = int(value)
            put(tags, name, value)


def read_vorbis(frames, tags, covers):
    for key, value in frames:
        if key.lower() == "metadata_block_picture":
            picture = flac.Picture(base64.b64decode(value))
            covers.append(cover(picture.type, picture.data))
        else:
            put(tags, key, value)


def read_asf(frames, tags, covers):
    for key, value in frames:
        if key == "WM/Picture":
            size = struct.unpack_from("<I", value.value, 1)[0]
            covers.append(cover(value.value[0], value.value[-size:]))
        else:
            put(tags, ASF.get(key, key), value)


def read_info(data):
    """RIFF's own texts, which mutagen passes by."""
    found, at = {}, 12
    while at + 8 <= len(data):
        size = struct.unpack_from("<I", data, at + 4)[0]
        if data[at:at + 4] == b"LIST" and data[at + 8:at + 12] == b"INFO":
            inner, end = at + 12, min(at + 8 + size, len(data))
            while inner + 8 <= end:
                length = struct.unpack_from("<I", data, inner + 4)[0]
                text = data[inner + 8:inner + 8 + length].split(b"\0")[0]
                put(found, data[inner:inner + 4].decode("latin-1"), text.decode("utf-8", "replace"))
                inner += 8 + length + length % 2
        at += 8 + size + size % 2
    return found


def probed(path):
    command = ["ffprobe", "-v", "error", "-show_chapters", "-show_streams", "-show_format", "-of", "json", path]
    answer = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return json.loads(answer.stdout.decode("utf-8", "replace") or "{}")


def attached(path, stream):
    command = ["ffmpeg", "-v", "error", "-i", path, "-map", f"0:{stream}", "-c", "copy", "-f", "data", "-"]
    return subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL).stdout


def read(path):
    tags, covers, info = {}, [], {}
    with open(path, "rb") as opened:
        data = opened.read()
    try:
        is_wav = data[:4] == b"RIFF" and data[8:12] == b"WAVE"
        file = wave.WAVE(path) if is_wav else mutagen.File(path)
    except (mutagen.MutagenError, AttributeError, IndexError):
        # Enhanced AC-3 and WavPack at odd sample rates are beyond mutagen.
        file = None
    frames = getattr(file, "tags", None)
    if isinstance(frames, id3.ID3):
        read_id3(frames, tags, covers)
    elif isinstance(frames, apev2.APEv2):
        read_ape(frames, tags, covers)
    elif isinstance(frames, mp4.MP4Tags):
        read_mp4(frames, tags, covers)
    elif type(frames).__name__ == "ASFTags":
        read_asf(frames, tags, covers)
    elif frames is not None:
        read_vorbis(frames, tags, covers)
    if isinstance(file, flac.FLAC):
        covers.extend(cover(picture.type, picture.data) for picture in file.pictures)
    if is_wav:
        info = read_info(data)
    elif data[:4] not in (b"FORM", b"fLaC", b"OggS") and data[4:8] != b"ftyp":
        # A second tag in the same file says what the first does not.
        for reader, take in ((apev2.APEv2, read_ape), (id3.ID3, read_id3)):
            if isinstance(frames, reader):
                continue
            more = {}
            try:
                take(reader(path), more, [] if covers else covers)
            except mutagen.MutagenError:
                continue
            tags.update({name: values for name, values in more.items() if name not in tags})
    tags.update({name: values for name, values in info.items() if name not in tags})
    known = frames is not None or bool(tags)
    probe = probed(path)
    sound = [stream for stream in probe.get("streams", []) if stream.get("codec_type") == "audio"][:1]
    for part in [probe.get("format", {}), *sound]:
        more = {}
        for key, text in part.get("tags", {}).items():
            if data[:4] == b"FORM" and key == "author":
                # libav's word for the artist of an AIFF file.
                key = "artist"
            if not (SAID.match(key) if known else key == "language"):
                put(more, key, text)
        tags.update({name: values for name, values in more.items() if name not in tags})
    if not known and not covers:
        for stream in probe.get("streams", []):
            if stream["disposition"]["attached_pic"]:
                covers.append(cover(3, attached(path, stream["index"])))
    chapters = [
        [round(float(one["start_time"]), 2), one.get("tags", {}).get("title", "")] for one in probe.get("chapters", [])
    ]
    return {"tags": tags, "info": info, "covers": covers, "chapters": chapters}


def parts(values):
    return {part.strip() for value in values for part in re.split(r"; ?|/|\0", value) if part.strip()}


def same(name, before, after):
    if parts(before) == parts(after):
        return True
    if name == "date" and before and after:
        return before[0].startswith(after[0]) or after[0].startswith(before[0])
    return False


def in_replaygain(tags):
    for kind in ("track", "album"):
        own, name = tags.pop(f"r128{kind}gain", None), f"replaygain{kind}gain"
        if own:
            tags.setdefault(name, [str(int(own[0]) / 256 + 5)])
        if name in tags:
            tags[name] = [f"{float(re.sub('[^-+.0-9]', '', tags[name][0]) or 'nan'):.2f}"]
    return tags


def short(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 300 else f"{text[:200]}…{len(text)} characters"


def differences(source, output):
    found = []
    before, after = in_replaygain(source["tags"]), in_replaygain(output["tags"])
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, []), after.get(name, [])
        if TECHNICAL.match(name):
            if new:
                found.append(("junk", name, "", new))
        elif not same(name, old, new):
            found.append(("lost" if not new else "changed" if old else "new", name, old, new))
        elif len(new) > len(set(new)) and len(old) == len(set(old)):
            found.append(("doubled", name, old, new))
    for name, values in output["info"].items():
        if not same(name, after.get(name, []), values):
            found.append(("info", name, after.get(name, []), values))
    old, new = source["covers"], output["covers"]
    if sorted(one[2] for one in old) != sorted(one[2] for one in new):
        found.append(("covers", "", old, new))
    elif old != new:
        found.append(("cover kinds", "", old, new))
    old, new = source["chapters"], output["chapters"]
    if len(old) != len(new) or any(abs(a[0] - b[0]) > 0.02 or a[1] != b[1] for a, b in zip(old, new)):
        found.append(("chapters", "", old, new))
    return [f"{kind}\t{name}\t{short(old)}\t{short(new)}" for kind, name, old, new in found]


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(json.dumps(read(sys.argv[1]), ensure_ascii=False, indent=1))
    else:
        for number, line in enumerate(sys.stdin):
            one, other = line.rstrip("\n").split("\t")
            for difference in differences(read(one), read(other)):
                print(f"{number}\t{difference}")
