"""Everything the simulated head node makes up: texts, exit codes and behaviour that no public source shows.

A test or a decision of the collection that rested on an entry here would prove nothing about Windows. Each says why
it is made up and what was assumed.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Synthetic(NamedTuple):
    """One made-up thing: the sentence that says so, and its texts per language (empty for behaviour) or its code."""

    why: str
    texts: Mapping[str, str] = {}
    code: int = 0


_TRANSLATED = "The English form is known (facts/windows.md section 3); the other languages are invented. "

SYNTHETIC: Mapping[str, Synthetic] = {
    "texts.translations": Synthetic(
        "The German, French and Japanese forms in texts.py were not compared with a Windows of that language. They are "
        "there to differ from the English ones."
    ),
    "wdsutil.error": Synthetic(
        _TRANSLATED + "That wdsutil writes it to standard output is an assumption too.",
        {
            "en": "\nAn error occurred while trying to execute the command.\nError Code: {code}\n"
            "Error Description: {text}\n\n",
            "de": "\nFehler beim Ausführen des Befehls.\nFehlercode: {code}\nFehlerbeschreibung: {text}\n\n",
            "fr": "\nUne erreur s'est produite lors de l'exécution de la commande.\nCode d'erreur : {code}\n"
            "Description de l'erreur : {text}\n\n",
            "ja": "\nコマンドの実行中にエラーが発生しました。\nエラー コード: {code}\nエラーの説明: {text}\n\n",
        },
    ),
    "wdsutil.done": Synthetic(
        "The success text of the namespace verbs is not public (facts/windows.md section 3).",
        {
            "en": "\nThe command completed successfully.\n\n",
            "de": "\nDer Befehl wurde erfolgreich ausgeführt.\n\n",
            "fr": "\nLa commande s'est terminée correctement.\n\n",
            "ja": "\nコマンドは正常に終了しました。\n\n",
        },
    ),
    "wdsutil.copyright": Synthetic(
        "wdsutil prints a banner before its output; its wording per build and language was not compared.",
        {
            "en": "\nWindows Deployment Services Management Utility [Version {release}]\n"
            "Copyright (c) Microsoft Corporation. All rights reserved.\n",
            "de": "\nVerwaltungsprogramm für Windows-Bereitstellungsdienste [Version {release}]\n"
            "Copyright (c) Microsoft Corporation. Alle Rechte vorbehalten.\n",
            "fr": "\nUtilitaire de gestion des services de déploiement Windows [version {release}]\n"
            "Copyright (c) Microsoft Corporation. Tous droits réservés.\n",
            "ja": "\nWindows 展開サービス管理ユーティリティ [Version {release}]\n"
            "Copyright (c) Microsoft Corporation. All rights reserved.\n",
        },
    ),
    "wdsutil.namespace": Synthetic(
        "The listing of a namespace is not public beyond its purpose; the collection must not read it.",
        {
            "en": "\nNamespace Name: {name}\nFriendly Name: {friendly}\nDescription: {description}\n"
            "Content Provider: {provider}\nConfiguration String: {configuration}\nType: {type}\nStatus: {status}\n",
            "de": "\nNamespacename: {name}\nAnzeigename: {friendly}\nBeschreibung: {description}\n"
            "Inhaltsanbieter: {provider}\nKonfigurationszeichenfolge: {configuration}\nTyp: {type}\nStatus: {status}\n",
            "fr": "\nNom de l'espace de noms : {name}\nNom convivial : {friendly}\nDescription : {description}\n"
            "Fournisseur de contenu : {provider}\nChaîne de configuration : {configuration}\nType : {type}\n"
            "État : {status}\n",
            "ja": "\n名前空間の名前: {name}\nフレンドリ名: {friendly}\n説明: {description}\n"
            "コンテンツ プロバイダー: {provider}\n構成文字列: {configuration}\n種類: {type}\n状態: {status}\n",
        },
    ),
    "wdsutil.client": Synthetic(
        "The listing of a namespace's clients is not public.",
        {"en": "  Client: {client}\n", "de": "  Client: {client}\n", "fr": "  Client : {client}\n"},
    ),
    "wdsutil.transport": Synthetic(
        "The listing of /Get-TransportServer /Show:Config is not public; the collection must not read it.",
        {"en": "\nTransport server: {name}\nWDS operational mode: Native\nStart port: {start}\nEnd port: {end}\n"},
    ),
    "wdsutil.description": Synthetic(
        "Descriptions of the WDS errors: the codes are known, their sentences are not.",
        {
            "en": "The operation failed with {code}.",
            "de": "Der Vorgang ist fehlgeschlagen: {code}.",
            "fr": "L'opération a échoué : {code}.",
            "ja": "操作に失敗しました: {code}。",
        },
    ),
    "wdsutil.success_code": Synthetic("The ERRORLEVEL of a namespace verb that worked is not public; 0 is assumed."),
    "wdsutil.failure_code": Synthetic(
        "The ERRORLEVEL of a namespace verb that failed is not public; the HRESULT as a signed number is assumed."
    ),
    "sc.labels": Synthetic(
        "sc.exe's labels outside English are remembered from posted outputs and were not compared word for word; the"
        " numbers and English state names are the same everywhere.",
        {
            "en": "SERVICE_NAME|TYPE|STATE|WIN32_EXIT_CODE|SERVICE_EXIT_CODE|CHECKPOINT|WAIT_HINT|PID|FLAGS",
            "de": "SERVICE_NAME|TYP|STATUS|WIN32_EXITCODE|SERVICE_EXITCODE|CHECKPOINT|WAIT_HINT|PID|FLAGS",
            "fr": "SERVICE_NAME|TYPE|STATE|WIN32_EXIT_CODE|SERVICE_EXIT_CODE|CHECKPOINT|WAIT_HINT|PID|FLAGS",
            "ja": "SERVICE_NAME|TYPE|STATE|WIN32_EXIT_CODE|SERVICE_EXIT_CODE|CHECKPOINT|WAIT_HINT|PID|FLAGS",
        },
    ),
    "reg.exists": Synthetic(
        "reg copy and reg add without /f ask a question; with no one to answer it the model refuses.",
        {"en": "Value {name} exists, overwrite(Yes/No)? "},
    ),
    "servermanagercmd.text": Synthetic(
        "servermanagercmd's sentences differ by version and language; only its exit codes are documented.",
        {
            "en": ".\n\n{result}: [{feature}] exit code {code}\n",
            "de": ".\n\n{result}: [{feature}] Exitcode {code}\n",
            "fr": ".\n\n{result} : [{feature}] code de sortie {code}\n",
            "ja": ".\n\n{result}: [{feature}] 終了コード {code}\n",
        },
    ),
    "servermanagercmd.pending": Synthetic(
        "What an installation answers while a removal still waits for its reboot is not documented; 1000 (failed) is"
        " assumed.",
        code=1000,
    ),
    "feature.exit_code": Synthetic(
        "The numbers behind the names of the feature cmdlets' ExitCode are assumed to be servermanagercmd's."
    ),
    "feature.error": Synthetic(
        "The sentence with which a feature cmdlet fails while another wizard runs was not seen.",
        {
            "en": "The request to add or remove features on the specified server failed.",
            "de": "Fehler bei der Anforderung zum Hinzufügen oder Entfernen von Features auf dem angegebenen Server.",
            "fr": "La demande d'ajout ou de suppression de fonctionnalités sur le serveur spécifié a échoué.",
            "ja": "指定されたサーバーでの機能の追加または削除要求が失敗しました。",
        },
    ),
    "event.data": Synthetic(
        "Which strings WDSMC and wdscpmsg put into <Data>, and in which order, is not public beyond the event texts."
        " The namespace first, then provider or code, is assumed."
    ),
    "events.order": Synthetic("Whether an event 771 follows a provider's own 592 or 257 is assumed."),
    "role.install": Synthetic(
        "What an installation of the role registers (provider WDS, its DLL and routine, service start automatic) and"
        " whether WDS-Transport needs a reboot on each build is assumed; facts/windows.md section 10."
    ),
    "role.remove": Synthetic("That the reboot after a removal deletes the whole WDSServer key is assumed."),
    "hpc.recreates": Synthetic(
        "That HpcManagement registers its provider and creates its namespace again at the first boot after an"
        " installation is what the published workaround implies; Machine.recreation turns it off."
    ),
    "remove.pending": Synthetic("That a delete-pending namespace leaves the store at once is assumed."),
    "psrp.codepage": Synthetic(
        "Without a console programs write, and PowerShell reads, in the OEM codepage: seen in practice, not documented."
    ),
    "logs.name": Synthetic("The file names below DeploymentLogs\\<node> are not public; <node>-<time>.log is assumed."),
    "logs.usage": Synthetic('The wording of CcpImg\'s usage text after "usage:" is not public.'),
    "reg.empty": Synthetic("That reg query /s prints a line for a key without values is assumed, and none without /s."),
    "powershell.message": Synthetic(
        "PowerShell's own error records on stderr are only sketched, and English; the collection must not read them.",
        {"en": "{name} : {text}\n"},
    ),
    "wevtutil.query": Synthetic(
        "The sentence for a query that wevtutil cannot read is in English only.",
        {"en": "Failed to read events.\nThe specified query is invalid.\n"},
    ),
}
